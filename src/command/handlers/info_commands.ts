/**
 * Sections of `INFO` about commands: how often, how long, how they failed.
 *
 * @module
 */

import { percentileMicros } from "../command_stats.ts";
import type { CommandServices } from "../services.ts";
import { SettingIndex } from "../runtime_settings.ts";

/** Shares that `latencystats` shows. Source: Redis. */
const SHARES = [["p50", 0.5], ["p99", 0.99], ["p99.9", 0.999]] as const;

/** `cmdstat_get:calls=2,usec=3,usec_per_call=1.50,rejected_calls=0,failed_calls=0` */
export function commandStatLines({ operations }: CommandServices): string[] {
  return operations.stats.numbers().map(({ row, calls, micros, rejected, failed }) => {
    const perCall = calls === 0 ? 0 : micros / calls;
    return `cmdstat_${row.name}:calls=${calls},usec=${Math.round(micros)},` +
      `usec_per_call=${perCall.toFixed(2)},rejected_calls=${rejected},failed_calls=${failed}`;
  });
}

/** `errorstat_WRONGTYPE:count=2` */
export function errorStatLines({ operations }: CommandServices): string[] {
  const counts = new Map<string, number>();
  for (const [code, count] of operations.stats.errors().entries()) {
    const word = operations.errorWords[code] ?? "ERR";
    if (count > 0) counts.set(word, (counts.get(word) ?? 0) + count);
  }
  return [...counts].toSorted().map(([word, count]) => `errorstat_${word}:count=${count}`);
}

/** All error replies. */
export function errorTotal({ operations }: CommandServices): number {
  return operations.stats.errors().reduce((sum, count) => sum + count, 0);
}

/** `latency_percentiles_usec_get:p50=1.000,p99=4.000,p99.9=8.000` */
export function latencyStatLines({ operations }: CommandServices): string[] {
  if (operations.settings.values[SettingIndex.LATENCY_TRACKING] === 0) return [];
  return operations.stats.numbers().filter(({ buckets }) => buckets.some((count) => count > 0))
    .map(({ row, buckets }) => {
      const shares = SHARES.map(([name, share]) =>
        `${name}=${percentileMicros(buckets, share).toFixed(3)}`
      );
      return `latency_percentiles_usec_${row.name}:${shares.join(",")}`;
    });
}
