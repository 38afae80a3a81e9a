package org.gatun.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.Function;
import org.gatun.cuda.CudaException;
import org.gatun.model.NonFiniteLogitsException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.HelpCommand;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/// The `gatun` command. Exit codes: 0 done, 1 an error of Gatun's own or a model that gives no numbers, 2 bad input or a result that
/// could not be written, 130 interrupted.
@Command(name = "gatun", description = "Runs language models on this machine.", mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT, versionProvider = Gatun.Version.class, usageHelpAutoWidth = true)
public final class Gatun {
    static final int FAILED = 1;
    static final int BAD_INPUT = 2;

    @Option(names = "--verbose", scope = ScopeType.INHERIT, description = "show the stack trace of an error")
    private boolean verbose;

    private final Console console;

    private Gatun(Console console) {
        this.console = console;
    }

    /// Runs the command and ends the process.
    public static void main(String[] arguments) {
        Console console = Console.ofProcess();
        System.setErr(console.notes()); // where warnings are logged
        String[] words;
        try {
            words = Arguments.ofProcess(arguments, console);
        } catch (IllegalArgumentException e) {
            console.note("gatun: " + e.getMessage());
            System.exit(BAD_INPUT);
            return;
        }
        System.exit(run(console, words));
    }

    /// Runs the command.
    ///
    /// @return the exit code
    static int run(Console console, String... arguments) {
        int exitCode;
        try {
            exitCode = commandLine(console).execute(arguments);
        } catch (OutOfMemoryError e) {
            console.note("gatun: out of memory (" + oneLine(String.valueOf(e.getMessage())) + "): choose a smaller --model or --context");
            exitCode = BAD_INPUT;
        }
        Optional<String> lost = console.lostOutput();
        lost.ifPresent(reason -> console.note("gatun: " + reason));
        console.err().flush();
        return lost.isPresent() && exitCode == 0 ? BAD_INPUT : exitCode;
    }

    private static CommandLine commandLine(Console console) {
        Gatun gatun = new Gatun(console);
        CommandLine root = new CommandLine(gatun);
        root.getCommandSpec().usageMessage().footer("", "Examples:", "  gatun generate --prompt \"Once upon a time\"",
                "  gatun bench --speculate none,draft,lookup", "  gatun help generate"); // an annotation would pass it on
        return root
                .addSubcommand(new GenerateCommand(console))
                .addSubcommand(new ChatCommand(console))
                .addSubcommand(new BenchCommand(console))
                .addSubcommand(new InspectCommand(console))
                .addSubcommand(new DevicesCommand(console))
                .addSubcommand(new KernelsCommand(console))
                .addSubcommand(new TokenizeCommand(console))
                .addSubcommand(new TemplateCommand(console))
                .addSubcommand(new PerplexityCommand(console))
                .addSubcommand(new QuantizeCommand(console))
                .addSubcommand(new CommandLine(new ImportCommand()).addSubcommand(new ImportLlama2cCommand(console)))
                .addSubcommand(new HelpCommand())
                .registerConverter(Integer.class, text -> number(text, Integer::valueOf, "a whole number"))
                .registerConverter(int.class, text -> number(text, Integer::valueOf, "a whole number"))
                .registerConverter(long.class, text -> number(text, Long::valueOf, "a whole number"))
                .registerConverter(Double.class, text -> number(text, Double::valueOf, "a number"))
                .registerConverter(double.class, text -> number(text, Double::valueOf, "a number"))
                .registerConverter(Path.class, Gatun::path)
                .setExpandAtFiles(false)
                .setOut(console.out())
                .setErr(console.err())
                .setParameterExceptionHandler((e, _) -> gatun.refuse(e))
                .setExecutionExceptionHandler((e, command, _) -> gatun.fail(e, command));
    }

    private static <T> T number(String text, Function<String, T> parser, String expected) {
        try {
            return parser.apply(text);
        } catch (NumberFormatException _) {
            throw new TypeConversionException("found '" + text + "', expected " + expected);
        }
    }

    private static Path path(String text) {
        if (text.isEmpty()) { // which Java takes for the folder that the process runs in
            throw new TypeConversionException("found nothing, expected the name of a file or a folder");
        }
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new TypeConversionException("found '" + text + "', which is no name of a file here (" + e.getReason()
                    + "); with letters beyond ASCII the locale must be one of UTF-8, as LC_ALL=C.UTF-8");
        }
    }

    /// Reports arguments that cannot be understood.
    private int refuse(ParameterException e) {
        String suggestion = !(e instanceof UnmatchedArgumentException unmatched) ? ""
                : unmatched.getSuggestions().stream().min(Comparator.comparingInt(known -> lettersApart(known, unmatched)))
                        .map(known -> "; did you mean " + known + "?").orElse("");
        report(e, e.getCommandLine(), oneLine(e.getMessage()).replaceFirst("^Error: ", "") + suggestion
                + " (see " + e.getCommandLine().getCommandSpec().qualifiedName() + " --help)");
        return BAD_INPUT;
    }

    /// Picocli's suggestions share pieces with what was typed; the nearest is about as long, too.
    private static int lettersApart(String known, UnmatchedArgumentException unmatched) {
        return Math.abs(known.length() - unmatched.getUnmatched().getFirst().length());
    }

    /// Reports what a command threw.
    private int fail(Exception e, CommandLine command) {
        if (e instanceof UncheckedIOException unchecked) { // a file that changed before its weights were ready
            return fail(unchecked.getCause(), command);
        }
        if (e instanceof IllegalArgumentException || e instanceof IOException || e instanceof CudaException) {
            report(e, command, oneLine(describe(e)));
            return BAD_INPUT;
        }
        if (e instanceof NonFiniteLogitsException) {
            report(e, command, oneLine(e.getMessage()));
            return FAILED;
        }
        report(e, command, "unexpected " + oneLine(e.toString()) + (verbose ? "" : " (--verbose shows the stack trace)"));
        return FAILED;
    }

    private void report(Exception e, CommandLine command, String message) {
        console.note(command.getCommandSpec().qualifiedName() + ": " + message);
        if (verbose) {
            StringWriter trace = new StringWriter();
            e.printStackTrace(new PrintWriter(trace));
            console.note(trace.toString().stripTrailing());
        }
    }

    private static String describe(Exception e) {
        return switch (e) {
            case NoSuchFileException missing -> missing.getFile() + ": found no such file or directory";
            case AccessDeniedException denied -> denied.getFile() + ": found no permission";
            case CudaException cuda -> cuda.getMessage() + "; --backend cpu does without CUDA";
            default -> e.getMessage() == null ? e.toString() : e.getMessage();
        };
    }

    private static String oneLine(String message) {
        return message.strip().replaceAll("\\s*\\R\\s*", "; ");
    }

    /// The version of the jar.
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Gatun.class.getPackage().getImplementationVersion();
            return new String[] {"gatun " + (version == null ? "(not packaged)" : version)};
        }
    }
}
