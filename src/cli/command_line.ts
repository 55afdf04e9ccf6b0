/**
 * The command line: what the arguments ask for.
 *
 * @module
 */

import { Command, CommanderError, Help, Option } from "commander";
import { VERSION } from "../server/version.ts";
import { type Config, defaultConfig } from "../server/config.ts";
import { environmentName, type Flag, FLAGS } from "./flags.ts";
import { type EnvironmentReader, resolveConfig } from "./settings.ts";

/** What a command line asks for. */
export type Request =
  /** Run the server. */
  | { readonly kind: "serve"; readonly config: Config }
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
  const defaults = context.defaults ?? defaultConfig();
  let request: Request | null = null;
  let printed = "";
  const program = new Command("sluice");
  const configure = (command: Command): Command =>
    command
      .exitOverride()
      .allowExcessArguments(true)
      .optionsGroup("Other:")
      .helpOption("-h, --help", "show this help")
      .configureOutput({
        writeOut: (text) => void (printed += text),
        writeErr: () => {},
        outputError: () => {},
        getOutHelpWidth: () => context.columns,
        getErrHelpWidth: () => context.columns,
        getOutHasColors: () => false,
        getErrHasColors: () => false,
      });

  configure(program)
    .description("In-memory data server: events in over HTTP, balances out over RESP.")
    .usage("[serve] [flags]")
    .version(`sluice ${VERSION}`, "-V, --version", "show the version")
    .enablePositionalOptions()
    .helpCommand("help [command]", "show the help of a command");

  const serve = configure(new Command("serve"))
    .description("run the server (the default)")
    .usage("[flags]")
    .action((_options, command: Command) => {
      request = strayArgument(command) ?? serveRequest(command, context.environment, defaults);
    });
  for (const flag of FLAGS) serve.addOption(toOption(flag, defaults));
  const version = configure(new Command("version"))
    .description("show the version, and that of the runtime")
    .action((_options, command: Command) => {
      request = strayArgument(command) ?? { kind: "print", text: versionText() };
    });
  program.addCommand(serve, { isDefault: true }).addCommand(version);
  // `serve` is what almost everybody wants, so the first help shows its flags too.
  const plainHelp = new Help();
  program.configureHelp({
    visibleOptions: () => [...serve.options, ...plainHelp.visibleOptions(program)],
    subcommandTerm: (command) => command.name(),
  });
  program.addHelpText("after", HELP_FOOTER);
  serve.addHelpText("after", HELP_FOOTER);

  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0
      ? { kind: "print", text: printed.endsWith("\n") ? printed : `${printed}\n` }
      : { kind: "usage_error", message: oneLine(error.message) };
  }
  return request ?? { kind: "usage_error", message: `nothing to do; ${HINT}` };
}

const HINT = "see sluice --help";

const HELP_FOOTER = `
A flag beats its environment variable, which beats the default.
Sizes take kb, mb and gb; times take ms, s, m and h.`;

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
  const texts: Record<string, string> = {};
  for (const option of command.options) {
    const value: unknown = command.getOptionValue(option.attributeName());
    if (value !== undefined) texts[option.name()] = String(value);
  }
  const result = resolveConfig(texts, environment, defaults);
  return result.kind === "config" ? { kind: "serve", config: result.config } : result;
}

function strayArgument(command: Command): Request | null {
  const [first] = command.args;
  return first === undefined ? null : {
    kind: "usage_error",
    message: `unknown command or argument ${JSON.stringify(first)}; ${HINT}`,
  };
}

function versionText(): string {
  const { deno, v8 } = Deno.version;
  return `sluice ${VERSION}\ndeno ${deno}, v8 ${v8}, ${Deno.build.target}\n`;
}

/** Commander's own messages: `error: unknown option '--x'\n(Did you mean --y?)`. */
function oneLine(message: string): string {
  const text = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ").trim();
  return text.includes("Did you mean") ? text : `${text}; ${HINT}`;
}
