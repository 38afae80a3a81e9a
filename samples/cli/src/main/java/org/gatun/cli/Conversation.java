package org.gatun.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.gatun.model.Model;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.ChatTemplate.Message;
import org.gatun.tokenizer.Tokenizer;

/// What was said so far, and how a model reads it: by its chat template, or, where it has none, as one text that both
/// sides continue.
final class Conversation {
    private final Tokenizer tokenizer;
    private final String beginOfText;
    private final Optional<ChatTemplate> template;
    private final Map<String, Object> named;
    private final List<Message> messages = new ArrayList<>();
    private Optional<String> system = Optional.empty();
    private String story = "";

    /// @param named values for the chat template
    Conversation(Model model, Map<String, Object> named) {
        this.named = Collections.unmodifiableMap(new LinkedHashMap<>(named)); // a value may be null
        tokenizer = model.tokenizer();
        beginOfText = tokenizer.beginOfText().stream().mapToObj(tokenizer::piece).findFirst().orElse("");
        template = model.chatTemplate();
    }

    /// Whether the model has a chat template; if not, it only continues texts.
    boolean hasTemplate() {
        return template.isPresent();
    }

    /// The tokens to continue after somebody said something.
    ///
    /// @throws IllegalArgumentException if the template refuses the conversation
    int[] prompt(String said) {
        if (template.isEmpty()) {
            return tokenizer.encode(join(story, said), Tokenizer.Special.ADD);
        }
        List<Message> all = new ArrayList<>();
        system.ifPresent(text -> all.add(new Message("system", text)));
        all.addAll(messages);
        all.add(new Message("user", said));
        String text = template.get().prompt(all, named);
        boolean begun = !beginOfText.isEmpty() && text.startsWith(beginOfText);
        return tokenizer.encode(text, new Tokenizer.Special(!begun, true));
    }

    /// Remembers what was said and answered.
    void add(String said, String reply) {
        story = join(story, said) + reply;
        messages.add(new Message("user", said));
        messages.add(new Message("assistant", reply));
    }

    /// Forgets everything but the system message.
    void reset() {
        messages.clear();
        story = "";
    }

    /// Sets the system message, empty for none.
    void system(String text) {
        system = Optional.of(text).filter(given -> !given.isEmpty());
    }

    private static String join(String story, String said) {
        boolean apart = story.isEmpty() || Character.isWhitespace(story.charAt(story.length() - 1)) || said.startsWith(" ");
        return apart ? story + said : story + " " + said;
    }
}
