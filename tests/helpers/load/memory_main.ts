/**
 * Watches the resident memory of a process, as a process of its own, because the runtime lets only
 * those with every permission read `/proc`: a line on stdout with each new peak, in KiB. Linux only.
 *
 * @module
 */

const INTERVAL_MS = 20;

const encoder = new TextEncoder();
let peakKib = 0;
for (;;) {
  const text = await Deno.readTextFile(`/proc/${Deno.args[0]}/status`);
  const residentKib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? "0");
  if (residentKib > peakKib) {
    peakKib = residentKib;
    await Deno.stdout.write(encoder.encode(`${peakKib}\n`));
  }
  await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
}
