/**
 * The same server with Node's `http` and Fastify; see deno_serve.ts for what it does.
 *
 *     node fastify_server.mjs PORT FOLDER
 *
 * It is copied to where the packages were installed, and run there.
 */

import process from "node:process";

// By variable: they are packages of the folder in which this runs, and not of this project.
const packages = ["fastify", "@fastify/static"];
const [Fastify, fastifyStatic] = await Promise.all(
  packages.map(async (name) => (await import(name)).default),
);

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const [port, folder] = process.argv.slice(2);
const balances = new Map();
const app = Fastify({ bodyLimit: 2 ** 20 });

// Lengths are of characters here, as JSON Schema has them.
const EVENT = {
  type: "object",
  required: ["user", "action", "amount"],
  properties: {
    user: { type: "string", minLength: 1, maxLength: 128, pattern: "^\\P{Cc}+$" },
    action: { type: "string", minLength: 1, maxLength: 64, pattern: "^\\P{Cc}+$" },
    amount: { type: "integer" },
    id: { type: "string", minLength: 1, maxLength: 64, pattern: "^\\P{Cc}+$" },
  },
};
const ACCEPTED = { type: "object", properties: { status: { type: "string" } } };

app.post("/events", { schema: { body: EVENT, response: { 202: ACCEPTED } } }, (request, reply) => {
  const { user, amount } = request.body;
  const balance = (balances.get(user) ?? 0n) + BigInt(amount);
  if (balance <= INT64_MAX && balance >= INT64_MIN) balances.set(user, balance);
  reply.code(202).send({ status: "accepted" });
});
app.get("/users/:user", (request, reply) => {
  const { user } = request.params;
  const balance = balances.get(user);
  if (balance === undefined) {
    reply.code(404).send({ error: "unknown_user" });
    return;
  }
  const text = `{"user":${JSON.stringify(user)},"balance":${balance}}`;
  reply.type("application/json").send(text);
});
app.get("/health", (_request, reply) => {
  reply.send({ status: "ok" });
});
app.register(fastifyStatic, { root: folder, prefix: "/static/" });

await app.listen({ host: "127.0.0.1", port: Number(port) });
