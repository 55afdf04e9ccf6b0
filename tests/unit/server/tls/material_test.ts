import assert from "node:assert/strict";
import {
  canServeTls,
  findTlsWarning,
  readTlsMaterial,
} from "../../../../src/server/tls/material.ts";
import { testCertificate } from "../../../helpers/tls.ts";

const one = testCertificate("one");

/** What is said about files with these contents. */
async function refusal(cert: string, key: string): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "sluice-tls-" });
  try {
    const files = { tlsCert: `${folder}/c`, tlsKey: `${folder}/k` };
    await Deno.writeTextFile(files.tlsCert, cert);
    await Deno.writeTextFile(files.tlsKey, key);
    const error = await readTlsMaterial(files).then(() => assert.fail("accepted"), (e) => e);
    assert.equal(error.constructor.name, "StartError");
    assert.doesNotMatch(error.message, /\n/);
    return error.message.replaceAll(`${folder}/`, "");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readTlsMaterial: what is wrong with the files is said in one line", async () => {
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  const brokenKey = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
  const locked =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
  assert.match(await refusal("", one.key), /with c: it has no certificate in PEM/);
  assert.match(await refusal(one.key, one.cert), /with c: it has no certificate in PEM/);
  assert.match(await refusal(broken, one.key), /with c: the certificate cannot be read: /);
  assert.match(await refusal(one.cert, one.cert), /with k: it has no private key in PEM/);
  assert.match(await refusal(one.cert, brokenKey), /with k: the key cannot be read: /);
  assert.match(await refusal(one.cert, locked), /with k: the key is protected by a passphrase/);
  assert.match(
    await refusal(one.cert, testCertificate("two").key),
    /with k: the key does not belong to the certificate in c$/,
  );
  assert.match(await refusal("x".repeat(2 ** 20), one.key), /larger than 1 MiB; check --tls-cert$/);
});

Deno.test("readTlsMaterial: what no client could connect to is refused, though it can be read", async () => {
  const said = await refusal(ODD_CURVE_CERT, ODD_CURVE_KEY);
  assert.match(said, /with c: no client could connect \(.+\); keys are RSA .*Ed25519$/);
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  assert.match(
    await refusal(one.cert + broken, one.key),
    /with c: the certificate cannot be read: /,
  );
});

Deno.test("readTlsMaterial: a certificate is described, and none is none", async () => {
  assert.equal(await readTlsMaterial({ tlsCert: "", tlsKey: "" }), undefined);
  const material = await readTlsMaterial({ tlsCert: one.certPath, tlsKey: one.keyPath });
  assert.match(material!.fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  assert.ok(material!.validFromMs < Date.now() && material!.validToMs > Date.now());
  assert.equal(findTlsWarning(material!, Date.now()), null);
  assert.match(findTlsWarning(material!, material!.validToMs + 1)!, /expired/);
  assert.match(findTlsWarning(material!, material!.validFromMs - 1)!, /not valid yet/);
});

Deno.test("canServeTls: from Deno 2.9 on", () => {
  for (const version of ["2.9.0", "2.9.6", "2.10.0", "3.0.0"]) assert.ok(canServeTls(version));
  for (const version of ["1.46.3", "2.4.2", "2.8.99"]) assert.ok(!canServeTls(version));
});

/** On a curve that the runtime can read and not sign with (secp256k1). */
const ODD_CURVE_CERT = `-----BEGIN CERTIFICATE-----
MIIBeTCCAR+gAwIBAgIUVqnR1w7IxcT5ANXJBGzF/tTveKQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTE3MjA1MloYDzIxMjYxMDI4
MTcyMDUyWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwVjAQBgcqhkjOPQIBBgUrgQQA
CgNCAATWcLRXLWpaQ+WYKq9jJ8dBnx2Jpq62oX7GRpOuC37LS4+TKwpomk0LvAl3
fTz8qyRQpRzPjqcDisqfjV2fsVOCo1AwTjAdBgNVHQ4EFgQUoXgal8BcKohPwS1P
EMFj1sRExdYwHwYDVR0jBBgwFoAUoXgal8BcKohPwS1PEMFj1sRExdYwDAYDVR0T
AQH/BAIwADAKBggqhkjOPQQDAgNIADBFAiAynvWihJBjDCVU6iTbhpLzjHlDPx58
PbAC6WO/QCESsgIhAPhrccxePxW0sHglSfY1riy8Y2rxA04iGNE0T4xpou0t
-----END CERTIFICATE-----
`;
const ODD_CURVE_KEY = `-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgLPG4Da+mvrGLP6G9ke3m
BSeXxgfKd8pPPrzmZUfx81qhRANCAATWcLRXLWpaQ+WYKq9jJ8dBnx2Jpq62oX7G
RpOuC37LS4+TKwpomk0LvAl3fTz8qyRQpRzPjqcDisqfjV2fsVOC
-----END PRIVATE KEY-----
`;
