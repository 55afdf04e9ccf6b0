/**
 * A `redis-server` of its own for recorders and benches.
 *
 * @module
 */

/** Port that was free a moment ago. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A running `redis-server`; disposing ends it. */
export class RedisServer implements AsyncDisposable {
  private constructor(readonly process: Deno.ChildProcess, readonly port: number) {}

  /** Starts one that keeps nothing on disk, and waits until it answers. */
  static async start(flags: readonly string[] = []): Promise<RedisServer> {
    const port = freePort();
    const args = [
      ...["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
      ...["--enable-debug-command", "yes", "--dir", "/tmp", ...flags],
    ];
    const process = new Deno.Command("redis-server", { args, stdout: "null", stderr: "null" })
      .spawn();
    const server = new RedisServer(process, port);
    for (let attempt = 0; attempt < 100; attempt++) {
      try {
        using _socket = await Deno.connect({ hostname: "127.0.0.1", port });
        return server;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    await server[Symbol.asyncDispose]();
    throw new Error("Cannot start redis-server");
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.status;
  }
}
