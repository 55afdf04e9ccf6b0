import assert from "node:assert/strict";
import { PrometheusText } from "../../../src/metrics/prometheus_text.ts";

Deno.test("PrometheusText: the samples of a family stay together, families keep their order", () => {
  const text = new PrometheusText();
  text.family("a_total", "First.", "counter").add(1, { kind: "x", more: "y" });
  text.family("b", "Second.", "gauge").add(0.5);
  text.family("a_total", "First.", "counter").add(2, { kind: "z" });
  text.family("c_seconds", "Third.", "histogram").add(3, { le: "+Inf" }, "_bucket");
  assert.equal(
    text.toString(),
    `# HELP a_total First.
# TYPE a_total counter
a_total{kind="x",more="y"} 1
a_total{kind="z"} 2

# HELP b Second.
# TYPE b gauge
b 0.5

# HELP c_seconds Third.
# TYPE c_seconds histogram
c_seconds_bucket{le="+Inf"} 3
`,
  );
});

Deno.test("PrometheusText: what would end a label or a line is escaped, and infinities have names", () => {
  const text = new PrometheusText();
  const family = text.family("a", "one\\two\nthree", "gauge");
  family.add(Infinity, { path: 'C:\\"x"\ny' });
  family.add(-Infinity);
  assert.equal(
    text.toString(),
    '# HELP a one\\\\two\\nthree\n# TYPE a gauge\na{path="C:\\\\\\"x\\"\\ny"} +Inf\na -Inf\n',
  );
});
