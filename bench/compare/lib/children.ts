/**
 * The processes and temporary folders of a bench, which are gone when it ends, however it ends.
 *
 * @module
 */

/** How a program is started. */
export interface ChildOptions {
  /** Processor that it may use; undefined = any. */
  readonly processor?: number | undefined;
  /** Most file descriptors; undefined = as they are. */
  readonly descriptorLimit?: number | undefined;
  /** Its working directory. */
  readonly cwd?: string | URL;
  /** Added to its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** What becomes of its standard output and error. */
  readonly stdout?: "piped" | "null";
  readonly stderr?: "piped" | "null";
}

/** What a program that ended had printed. */
export interface ChildOutput {
  /** Exit code. */
  readonly code: number;
  /** Standard output, then standard error. */
  readonly text: string;
}

/** What a shell says of a program that a signal ended. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Starts programs and makes folders, and takes both away.
 *
 * Thread: the bench's. While it exists SIGINT and SIGTERM end the bench, and what it started first;
 * nothing else is ever signalled.
 */
export class Children implements AsyncDisposable {
  readonly #running = new Set<Deno.ChildProcess>();
  readonly #folders = new Set<string>();
  readonly #listeners: [Deno.Signal, () => void][] = [];

  /** Listens for the signals. */
  constructor() {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const listener = (): void => {
        this.#killAll();
        this.#removeFolders();
        Deno.exit(EXIT_CODES[signal]);
      };
      Deno.addSignalListener(signal, listener);
      this.#listeners.push([signal, listener]);
    }
  }

  /** Starts a program; it is killed when this is disposed, if it is still there. */
  spawn(words: readonly string[], options: ChildOptions = {}): Deno.ChildProcess {
    const all = limited(pinned(words, options.processor), options.descriptorLimit);
    const child = new Deno.Command(all[0]!, {
      args: all.slice(1),
      stdin: "null",
      stdout: options.stdout ?? "null",
      stderr: options.stderr ?? "null",
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: { ...options.env },
    }).spawn();
    this.#running.add(child);
    void child.status.then(() => this.#running.delete(child));
    return child;
  }

  /** Runs a program to its end. */
  async run(words: readonly string[], options: ChildOptions = {}): Promise<ChildOutput> {
    const child = this.spawn(words, { ...options, stdout: "piped", stderr: "piped" });
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
  }

  /**
   * Makes a folder of its own.
   *
   * @param parent where; default: among the temporary ones
   */
  makeFolder(parent?: string): string {
    const folder = Deno.makeTempDirSync({
      prefix: "sluice-bench-",
      ...(parent === undefined ? {} : { dir: parent }),
    });
    this.#folders.add(folder);
    return folder;
  }

  /** Ends everything and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const ends = Array.from(this.#running, (child) => child.status);
    this.#killAll();
    await Promise.all(ends);
    this.#removeFolders();
    for (const [signal, listener] of this.#listeners) Deno.removeSignalListener(signal, listener);
  }

  #killAll(): void {
    for (const child of this.#running) {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    }
  }

  #removeFolders(): void {
    for (const folder of this.#folders) {
      try {
        Deno.removeSync(folder, { recursive: true });
      } catch {
        // A program that was killed a moment ago may still be writing into it.
        Deno.removeSync(folder, { recursive: true });
      }
    }
    this.#folders.clear();
  }
}

/** The words that run a program on one processor only. */
export function pinned(words: readonly string[], processor: number | undefined): string[] {
  return processor === undefined ? [...words] : ["taskset", "-c", String(processor), ...words];
}

function limited(words: string[], descriptorLimit: number | undefined): string[] {
  if (descriptorLimit === undefined) return words;
  return ["sh", "-c", `ulimit -n ${descriptorLimit} && exec "$@"`, "sh", ...words];
}

/** Whether a program can be found. */
export async function isInstalled(program: string): Promise<boolean> {
  const command = new Deno.Command("sh", {
    args: ["-c", 'command -v -- "$1"', "sh", program],
    stdout: "null",
    stderr: "null",
  });
  return (await command.output()).success;
}

/** The descriptors that a program started from here may have at most. */
export async function descriptorLimit(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", "ulimit -Hn"] }).output();
  const text = new TextDecoder().decode(stdout).trim();
  return text === "unlimited" ? Infinity : Number(text);
}
