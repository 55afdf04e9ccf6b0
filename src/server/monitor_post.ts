/**
 * Passes lines for monitors on to the other I/O threads.
 *
 * @module
 */

import { InboxKind } from "../base/inbox_message.ts";
import type { Inbox } from "../channel/inbox.ts";
import type { MonitorPost } from "../command/monitors.ts";

/**
 * Makes what posts a line to every one of `inboxes`.
 *
 * Thread: the I/O thread `threadId`.
 */
export function monitorPost(inboxes: readonly Inbox[], threadId: number): MonitorPost {
  const senders = inboxes.map((inbox) => inbox.sender(threadId));
  return (line) => {
    const message = new Uint8Array(line.length + 1);
    message[0] = InboxKind.MONITOR_LINE;
    message.set(line, 1);
    let isTaken = true;
    for (const sender of senders) isTaken = sender.trySend(message, 0, message.length) && isTaken;
    return isTaken;
  };
}
