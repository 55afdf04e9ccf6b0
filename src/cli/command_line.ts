/**
 * The command line: what the arguments ask for.
 *
 * @module
 */

import { Command, CommanderError, Help, Option } from "commander";
import { VERSION } from "../server/version.ts";
import { type Config, defaultConfig } from "../server/config.ts";
import { environmentName, type Flag, FLAGS } from "./flags.ts";
import {
  DATA_GROUP,
  type DataOrder,
  type DataOrderResult,
  DUMP_HELP_FOOTER,
  DUMP_OPTIONS,
  LOAD_FLAGS,
  LOAD_HELP_FOOTER,
  LOAD_OPTIONS,
  REPAIR_HELP_FOOTER,
  REPAIR_OPTIONS,
  resolveDumpOrder,
  resolveLoadOrder,
  resolveRepairOrder,
} from "./data_flags.ts";
import type { HealthQuestion } from "./health.ts";
import {
  HEALTH_FLAGS,
  HEALTH_GROUP,
  HEALTH_OPTIONS,
  resolveHealthQuestion,
} from "./health_flags.ts";
import { DEFAULT_FILE, INIT_HELP_FOOTER, type InitOrder, resolveInitOrder } from "./init_order.ts";
import { LAB_HELP_FOOTER, LAB_OPTIONS, type LabOrder, resolveLabOrder } from "./lab_flags.ts";
import { type EnvironmentReader, type FlagTexts, resolveConfig } from "./settings.ts";
import {
  resolveStressOrder,
  STRESS_FLAGS,
  STRESS_HELP_FOOTER,
  STRESS_OPTIONS,
  type StressOrder,
} from "./stress_flags.ts";

/** What a command line asks for. */
export type Request =
  /** Run the server. */
  | { readonly kind: "serve"; readonly config: Config }
  /** Ask a running server whether it is well. */
  | { readonly kind: "health"; readonly question: HealthQuestion }
  /** Run stages of the lab. */
  | { readonly kind: "lab"; readonly order: LabOrder }
  /** Send events to a server. */
  | { readonly kind: "stress"; readonly order: StressOrder }
  /** Work on a data directory. */
  | { readonly kind: "data"; readonly order: DataOrder }
  /** Write an example of a processor. */
  | { readonly kind: "init"; readonly order: InitOrder }
  /** Print something and end; `text` ends with a line end. */
  | { readonly kind: "print"; readonly text: string }
  /** Tell what is wrong, in one line without its end, and end with exit code 2. */
  | { readonly kind: "usage_error"; readonly message: string };

/** What the command line depends on besides its arguments. */
export interface CommandLineContext {
  /** Reads an environment variable. */
  readonly environment: EnvironmentReader;
  /** Width of the help in columns. */
  readonly columns: number;
  /** The defaults; those of this machine when left out. */
  readonly defaults?: Config;
}

/**
 * Reads a command line.
 *
 * Shape: `parseCommandLine(["serve", "--workers", "2-4"], …)` is `{ kind: "serve", config: … }`.
 *
 * @param args the arguments behind the program's name
 */
export function parseCommandLine(args: readonly string[], context: CommandLineContext): Request {
  return new CommandLine(context).read(args);
}

/** The commands there are, of which one leaves what it was asked for. */
class CommandLine {
  readonly #environment: EnvironmentReader;
  readonly #columns: number;
  readonly #defaults: Config;
  #request: Request | null = null;
  /** Help and version, which commander prints itself. */
  #printed = "";

  constructor({ environment, columns, defaults = defaultConfig() }: CommandLineContext) {
    this.#environment = environment;
    this.#columns = columns;
    this.#defaults = defaults;
  }

  read(args: readonly string[]): Request {
    try {
      this.#program().parse([...args], { from: "user" });
    } catch (error) {
      if (!(error instanceof CommanderError)) throw error;
      const printed = this.#printed;
      return error.exitCode === 0
        ? { kind: "print", text: printed.endsWith("\n") ? printed : `${printed}\n` }
        : { kind: "usage_error", message: usageMessage(error, args) };
    }
    return this.#request ?? { kind: "usage_error", message: `nothing to do; ${HINT}` };
  }

  #program(): Command {
    const program = this.#configure(new Command("sluice"))
      .description("In-memory data server: events in over HTTP, balances out over RESP.")
      .usage("[serve] [flags]")
      .version(`sluice ${VERSION}`, "-V, --version", "show the version")
      .enablePositionalOptions()
      .helpCommand("help [command]", "show the help of a command");
    const serve = this.#serve();
    program.addCommand(serve, { isDefault: true }).addCommand(this.#health())
      .addCommand(this.#stress()).addCommand(this.#lab()).addCommand(this.#dump())
      .addCommand(this.#load()).addCommand(this.#repair()).addCommand(this.#init())
      .addCommand(this.#version());
    // `serve` is what almost everybody wants, so the first help shows its flags too.
    const plainHelp = new Help();
    program.configureHelp({
      visibleOptions: () => [...serve.options, ...plainHelp.visibleOptions(program)],
      subcommandTerm: (command) => command.name(),
    });
    return program.addHelpText("after", HELP_FOOTER);
  }

  #configure(command: Command): Command {
    return command
      .exitOverride()
      .allowExcessArguments(true)
      .optionsGroup("Other:")
      .helpOption("-h, --help", "show this help")
      .configureOutput({
        writeOut: (text) => void (this.#printed += text),
        writeErr: () => {},
        outputError: () => {},
        getOutHelpWidth: () => this.#columns,
        getErrHelpWidth: () => this.#columns,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      });
  }

  /** A command that leaves what `request` makes of it. */
  #command(name: string, description: string, request: (command: Command) => Request): Command {
    return this.#configure(new Command(name)).description(description)
      .action((_options, command: Command) => {
        this.#request = request(command);
      });
  }

  #serve(): Command {
    const serve = this.#command(
      "serve",
      "run the server (the default)",
      (command) =>
        strayArgument(command) ?? serveRequest(command, this.#environment, this.#defaults),
    ).usage("[flags]");
    for (const flag of FLAGS) serve.addOption(toOption(flag, this.#defaults));
    return serve.addHelpText("after", HELP_FOOTER);
  }

  #health(): Command {
    const health = this.#command(
      "health",
      "ask a running server whether it is well; exit code 0 means yes, 1 no",
      (command) =>
        strayArgument(command) ?? healthRequest(command, this.#environment, this.#defaults),
    ).usage("[flags]");
    for (const flag of HEALTH_FLAGS) health.addOption(toOption(flag, this.#defaults));
    for (const [syntax, summary] of HEALTH_OPTIONS) {
      health.addOption(new Option(syntax, summary).helpGroup(HEALTH_GROUP));
    }
    return health;
  }

  #lab(): Command {
    const lab = this.#command(
      "lab",
      "show what locks, shards, queues and back-pressure do, on this machine",
      (command) => {
        const result = resolveLabOrder(command.args, textsOf(command));
        return result.kind === "order" ? { kind: "lab", order: result.order } : result;
      },
    ).usage("[stage…] [flags]");
    for (const [syntax, summary] of LAB_OPTIONS) lab.addOption(new Option(syntax, summary));
    return lab.addHelpText("after", LAB_HELP_FOOTER);
  }

  #stress(): Command {
    const stress = this.#command(
      "stress",
      "send events to a server and show how it copes",
      (command) =>
        strayArgument(command, 1) ?? stressRequest(command, this.#environment, this.#defaults),
    ).usage("[address] [flags]");
    for (const flag of STRESS_FLAGS) stress.addOption(toOption(flag, this.#defaults));
    for (const [syntax, summary, group] of STRESS_OPTIONS) {
      stress.addOption(new Option(syntax, summary).helpGroup(group));
    }
    return stress.addHelpText("after", STRESS_HELP_FOOTER);
  }

  /** A command that works on a data directory. */
  #dataCommand(
    name: string,
    description: string,
    usage: string,
    options: readonly (readonly [string, string])[],
    resolve: (words: readonly string[], texts: FlagTexts) => DataOrderResult,
  ): Command {
    const command = this.#command(name, description, (command) => {
      const result = resolve(command.args, textsOf(command));
      return result.kind === "order" ? { kind: "data", order: result.order } : result;
    }).usage(usage);
    for (const [syntax, summary] of options) {
      command.addOption(new Option(syntax, summary).helpGroup(DATA_GROUP));
    }
    return command;
  }

  #dump(): Command {
    return this.#dataCommand(
      "dump",
      "write the keys of a data directory as lines of JSON",
      "<dir> [flags]",
      DUMP_OPTIONS,
      resolveDumpOrder,
    ).addHelpText("after", DUMP_HELP_FOOTER);
  }

  #load(): Command {
    const load = this.#dataCommand(
      "load",
      "put dumps and files of Redis into a data directory",
      "<dir> <file…> [flags]",
      LOAD_OPTIONS,
      (words, texts) => resolveLoadOrder(words, texts, this.#environment, this.#defaults),
    ).addHelpText("after", LOAD_HELP_FOOTER);
    for (const flag of LOAD_FLAGS) load.addOption(toOption(flag, this.#defaults));
    return load;
  }

  #repair(): Command {
    return this.#dataCommand(
      "repair",
      "show what is in a data directory, and cut off what is damaged",
      "<dir> [flags]",
      REPAIR_OPTIONS,
      resolveRepairOrder,
    ).addHelpText("after", REPAIR_HELP_FOOTER);
  }

  #init(): Command {
    return this.#command(
      "init-processor",
      "write an example of a processor of your own, with a test",
      (command) => {
        const result = resolveInitOrder(command.args, command.getOptionValue("force") === true);
        return result.kind === "order" ? { kind: "init", order: result.order } : result;
      },
    ).usage(`[file, default ${DEFAULT_FILE}] [flags]`)
      .option("--force", "replace files that are there")
      .addHelpText("after", INIT_HELP_FOOTER);
  }

  #version(): Command {
    return this.#command(
      "version",
      "show the version, and that of the runtime",
      (command) => strayArgument(command) ?? { kind: "print", text: versionText() },
    ).usage("[flags]");
  }
}

const HINT = "see sluice --help";

/** Commands whose flags are not those of the server, so that their own help has what was meant. */
const WITH_OWN_HELP = /^(?:health|stress|lab|dump|load|repair|init-processor)$/;

function hintFor(name: string | undefined): string {
  return name !== undefined && WITH_OWN_HELP.test(name) ? `see sluice ${name} --help` : HINT;
}

const HELP_FOOTER = `
A flag beats its environment variable, which beats the default.
Sizes take kb, mb and gb; times take ms, s, m and h; rates are a number and a
time: 1000/1s, 100/m.

With a password, clients say it before anything else: Redis clients with AUTH,
HTTP clients with "Authorization: Bearer <password>", Protobuf clients with an
AuthRequest. Flags can be read in the list of processes; the environment and
files cannot be, by other users.

OTEL_DENO=true has requests and events traced by OpenTelemetry; an executable is
compiled with it, or has none.

Exit codes: 0 stopped and nothing lost, 1 could not start, 2 wrong usage,
3 something was lost, 4 internal fault.`;

function toOption(flag: Flag, defaults: Config): Option {
  const syntax = flag.placeholder === "" ? `--${flag.name}` : `--${flag.name} ${flag.placeholder}`;
  const description = `${flag.summary}\n` +
    `(default: ${flag.show(defaults)}, env: ${environmentName(flag.name)})`;
  return new Option(syntax, description).helpGroup(flag.group);
}

function serveRequest(
  command: Command,
  environment: EnvironmentReader,
  defaults: Config,
): Request {
  const result = resolveConfig(textsOf(command), environment, defaults);
  return result.kind === "config" ? { kind: "serve", config: result.config } : result;
}

function healthRequest(
  command: Command,
  environment: EnvironmentReader,
  defaults: Config,
): Request {
  const result = resolveHealthQuestion(textsOf(command), environment, defaults);
  return result.kind === "question" ? { kind: "health", question: result.question } : result;
}

function stressRequest(
  command: Command,
  environment: EnvironmentReader,
  defaults: Config,
): Request {
  const result = resolveStressOrder(command.args[0], textsOf(command), environment, defaults);
  return result.kind === "order" ? { kind: "stress", order: result.order } : result;
}

function textsOf(command: Command): FlagTexts {
  const texts: Record<string, string> = {};
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value !== undefined) texts[option.name()] = String(value);
  }
  return texts;
}

/** The first argument behind those that the command takes, as an error. */
function strayArgument(command: Command, takenCount = 0): Request | null {
  const first = command.args[takenCount];
  if (first === undefined) return null;
  // A password with a space in it, and no quotes around it, ends here with its second word.
  const what = FLAGS.some(({ name, secret }) => secret && name in textsOf(command))
    ? "there is an argument too many (a text with spaces in it needs quotes)"
    : `unknown command or argument ${JSON.stringify(first)}`;
  return { kind: "usage_error", message: `${what}; ${hintFor(command.name())}` };
}

function versionText(): string {
  const { deno, v8 } = Deno.version;
  return `sluice ${VERSION}\ndeno ${deno}, v8 ${v8}, ${Deno.build.target}\n`;
}

/** Commander's own messages: `error: unknown option '--x'\n(Did you mean --y?)`. */
function usageMessage({ code, message }: CommanderError, args: readonly string[]): string {
  // `help x`: Commander shows the whole help and has no words for what is wrong.
  if (code === "commander.help") {
    const name = args[args.indexOf("help") + 1] ?? "";
    // A flag in its place may be a password.
    return `${name.startsWith("-") ? "unknown command" : `unknown command "${name}"`}; ${HINT}`;
  }
  const text = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ").trim()
    // `--pasword=secret` and `--passwordsecret`: what may be a password is not repeated.
    .replace(
      /^unknown option '(--password|--[^=']*(?==)).*'(?= \(Did you mean |$)/,
      (_, name) => `unknown option '${name}…'`,
    );
  return text.includes("Did you mean") ? text : `${text}; ${hintFor(args[0])}`;
}
