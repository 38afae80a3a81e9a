package org.gatun.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Session;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.method.Speculation;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/// Talks with a model, line by line.
@Command(name = "chat", description = "Talks with a model, line by line, at a terminal or from a pipe.", footer = {
        "", "While it runs: /help lists what else can be typed, Ctrl-C stops an answer, Ctrl-D ends.",
        "", "Examples:",
        "  gatun chat",
        "  gatun chat --model model.gguf --system \"Answer in one sentence.\""})
final class ChatCommand implements Callable<Integer> {
    private static final double STANDARD_TEMPERATURE = 0.7;
    private static final String HELP = """
            /stats          tokens/s and method of the last answer, and how full the context is
            /reset          forget the conversation
            /system TEXT    set the system message, and forget the conversation
            /help           this
            /exit           end, as Ctrl-D, /quit and /bye do""";
    private static final Map<String, String> GIVEN_BY_CHAT = Map.of("messages", "what is said", "add_generation_prompt", "chat itself");
    private static final Set<String> ENDS = Set.of("/exit", "/quit", "/bye");

    private final Console console;

    @Mixin
    private ModelChoice models;

    @Mixin
    private GenerationChoice choice;

    @Option(names = "--speculate", paramLabel = "METHOD[:OPTION=N...]",
            description = "how tokens are drafted: none, draft, lookup, auto and others (docs/guide.md); auto by default")
    private Optional<String> speculate;

    @Option(names = "--system", paramLabel = "TEXT", description = "what the model should know before the first line")
    private Optional<String> system;

    @Option(names = "--template-arg", paramLabel = "NAME=JSON",
            description = "value for the chat template, such as enable_thinking=false; again for more of them")
    private List<String> templateValues = new ArrayList<>();

    private String statistics = "nothing was generated yet";
    private boolean refused; // the template, or the room of the context, refused a line

    ChatCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        Speculation speculation = models.speculation(speculate.or(() -> Optional.of("auto")));
        Map<String, Object> named = TemplateValues.parse("--template-arg", templateValues, GIVEN_BY_CHAT);
        GenerationOptions options = choice.options(STANDARD_TEMPERATURE, speculation);
        console.requireInput();
        try (OpenModels opened = models.open(console); Session session = opened.openSession(console);
                Drafter drafter = opened.openDrafter(speculation); ChatInput input = ChatInput.open(console)) {
            Conversation conversation = new Conversation(opened.target(), named);
            system.ifPresent(conversation::system);
            if (!conversation.hasTemplate()) {
                console.note(opened.pair().isPresent()
                        ? "This is a small story model, no assistant: type the beginning of a story, and it goes on."
                        : opened.target().name() + " has no chat template: it continues what you type.");
            }
            for (Optional<String> line = input.readLine(); line.isPresent(); line = input.readLine()) {
                String said = line.get();
                if (ENDS.contains(said.strip())) {
                    break;
                }
                if (said.startsWith("/")) {
                    obey(said.strip(), conversation, session);
                } else if (!said.isBlank() && !answer(said, conversation, opened, session, drafter, options, input)) {
                    break;
                }
            }
        }
        return refused && !console.readsFromTerminal() ? 2 : 0; // a script hears of it, a person has read it
    }

    private void obey(String command, Conversation conversation, Session session) {
        String[] words = command.split("\\s+", 2);
        switch (words[0]) {
            case "/stats" -> console.note(statistics + "; " + session.length() + " of " + session.capacity() + " tokens of context");
            case "/reset" -> conversation.reset();
            case "/system" -> {
                conversation.system(words.length > 1 ? words[1] : "");
                conversation.reset();
            }
            case "/help" -> console.note(HELP);
            default -> console.note("unknown command " + words[0] + ": expected one of\n" + HELP);
        }
    }

    /// @return whether anybody still reads
    private boolean answer(String said, Conversation conversation, OpenModels opened, Session session, Drafter drafter,
            GenerationOptions options, ChatInput input) {
        try (Generation generation = opened.begin(session, conversation.prompt(said), drafter, options, console);
                Interruption _ = new Interruption(generation::cancel)) {
            input.onInterrupt(generation::cancel);
            Outcome outcome = Outcome.of(generation, console::print);
            boolean read = console.print("\n");
            conversation.add(said, outcome.text());
            statistics = outcome.summary(options.speculation(), opened.backend().name());
            return read;
        } catch (IllegalArgumentException e) {
            console.note(e.getMessage() + " (/reset starts anew)");
            refused = true;
            return true;
        }
    }
}
