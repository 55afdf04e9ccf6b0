/**
 * The client libraries that people use, behind one face.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { Redis as Valkey } from "iovalkey";
import { createClient, RESP_TYPES } from "redis";

/** How to connect. */
export interface LibraryOptions {
  /** Of the server. */
  readonly port: number;
  /** RESP version. */
  readonly version: 2 | 3;
  /** What the server asks for. */
  readonly password?: string;
}

/** One connection made by a library. Thread: the test's. */
export interface LibraryClient {
  /** Errors that the library told of beside its replies. */
  readonly errors: Error[];
  /** Sends any command. */
  call(...words: (string | Buffer)[]): Promise<unknown>;
  /** The same, for a reply of bytes. */
  callBytes(...words: (string | Buffer)[]): Promise<Buffer>;
  /** Sends commands together. */
  pipeline(commands: readonly string[][]): Promise<unknown[]>;
  /** Says goodbye. */
  quit(): Promise<void>;
}

/** A library. */
export interface Library {
  /** As npm knows it. */
  readonly name: string;
  /** RESP versions that it speaks. */
  readonly versions: readonly (2 | 3)[];
  /** Connects and waits until it is ready; rejects with the server's error. */
  connect(options: LibraryOptions): Promise<LibraryClient>;
}

/** What ioredis and its descendant have in common. */
type RedisLike = Pick<Redis, "call" | "callBuffer" | "quit" | "connect" | "disconnect" | "on"> & {
  pipeline(commands: string[][]): { exec(): Promise<[Error | null, unknown][] | null> };
};

async function connectRedisLike(redis: RedisLike): Promise<LibraryClient> {
  const errors: Error[] = [];
  redis.on("error", (error: Error) => errors.push(error));
  try {
    await redis.connect();
  } catch (error) {
    redis.disconnect();
    throw errors[0] ?? error;
  }
  if (errors[0] !== undefined) {
    redis.disconnect();
    throw errors[0];
  }
  return {
    errors,
    call: (name, ...rest) => redis.call(name as string, rest),
    callBytes: (name, ...rest) => redis.callBuffer(name as string, rest) as Promise<Buffer>,
    pipeline: async (commands) => {
      const replies = await redis.pipeline(commands.map((words) => ["call", ...words])).exec();
      return replies!.map(([error, reply]) => error ?? reply);
    },
    quit: async () => void await redis.quit(),
  };
}

const common = { host: "127.0.0.1", lazyConnect: true, retryStrategy: () => 10 };

const ioredis: Library = {
  name: "ioredis",
  versions: [2, 3],
  connect: ({ port, version, password }) =>
    connectRedisLike(
      new Redis({ ...common, port, protocol: version, ...(password ? { password } : {}) }),
    ),
};

const iovalkey: Library = {
  name: "iovalkey",
  versions: [2],
  connect: ({ port, password }) =>
    connectRedisLike(
      new Valkey({ ...common, port, ...(password ? { password } : {}) }) as unknown as RedisLike,
    ),
};

const nodeRedis: Library = {
  name: "redis",
  versions: [2, 3],
  async connect({ port, version, password }) {
    const client = createClient({
      RESP: version,
      socket: { host: "127.0.0.1", port, reconnectStrategy: () => 10 },
      ...(password ? { password } : {}),
    });
    const errors: Error[] = [];
    const failed = Promise.withResolvers<never>();
    client.on("error", (error: Error) => {
      errors.push(error);
      failed.reject(error);
    });
    failed.promise.catch(() => {});
    try {
      await Promise.race([client.connect(), failed.promise]);
    } catch (error) {
      client.destroy();
      throw error;
    }
    const bytes = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    return {
      errors,
      call: (...words) => client.sendCommand(words),
      callBytes: (...words) => bytes.sendCommand(words) as unknown as Promise<Buffer>,
      pipeline: (commands) => Promise.all(commands.map((words) => client.sendCommand(words))),
      quit: () => client.close(),
    };
  },
};

/** All of them. */
export const LIBRARIES: readonly Library[] = [ioredis, iovalkey, nodeRedis];
