/**
 * Clients that send events as fast as they are answered, over HTTP and RESP.
 *
 * @module
 */

import { eventRequest, RawClient, respCommand } from "./raw_client.ts";

/** What the clients of a load saw. */
export class LoadTally {
  /** Events answered `accepted`. */
  accepted = 0;
  /** Events refused because the channel was full. */
  busy = 0;
  /** Events refused because the server was stopping. */
  refused = 0;
  /** Events sent whose reply never came. */
  cutOff = 0;
  /** Replies that were none of these. */
  readonly strange: string[] = [];
}

/** Sends one event and says what the server answered; undefined when the connection ended. */
type Sender = (client: RawClient, user: string) => Promise<string | undefined>;

const senders: readonly Sender[] = [
  async (client, user) => {
    await client.send(eventRequest(user, 1));
    const { status, body } = await client.readHttpReply();
    return `${status} ${body}`;
  },
  async (client, user) => {
    await client.send(respCommand("EVENT", user, "buy", "1"));
    return await client.readUntil("\r\n");
  },
];

/**
 * Sends events over `connectionCount` connections, half of them HTTP and half RESP, until each has
 * sent its share or the server ends it.
 *
 * @param onReply called after every reply
 */
export async function runEventLoad(
  ports: { http: number; resp: number },
  connectionCount: number,
  eventCount: number,
  onReply: (tally: LoadTally) => void,
): Promise<LoadTally> {
  const tally = new LoadTally();
  const share = eventCount / connectionCount;
  const clients: Promise<void>[] = [];
  for (let index = 0; index < connectionCount; index++) {
    const overHttp = index % 2 === 0;
    const client = await RawClient.connect(overHttp ? ports.http : ports.resp);
    const send = senders[overHttp ? 0 : 1]!;
    clients.push(runClient(client, send, `user${index % 10}`, share, tally, onReply));
  }
  await Promise.all(clients);
  return tally;
}

async function runClient(
  client: RawClient,
  send: Sender,
  user: string,
  eventCount: number,
  tally: LoadTally,
  onReply: (tally: LoadTally) => void,
): Promise<void> {
  using _closed = client;
  for (let i = 0; i < eventCount; i++) {
    let reply: string | undefined;
    try {
      reply = await send(client, user);
    } catch {
      tally.cutOff++;
      return;
    }
    if (!count(reply ?? "", tally)) return;
    onReply(tally);
  }
}

/** Returns false when the connection is of no more use. */
function count(reply: string, tally: LoadTally): boolean {
  if (reply.startsWith("202 ") || reply === "+ACCEPTED\r\n") tally.accepted++;
  else if (reply.includes("server_busy") || reply.startsWith("-BUSY ")) tally.busy++;
  else if (reply.includes("shutting_down") || reply === "-ERR server is shutting down\r\n") {
    tally.refused++;
    return false;
  } else tally.strange.push(reply);
  return true;
}
