package org.gatun.tokenizer;

import java.util.List;
import java.util.Optional;

/// Writes a conversation as the one text that a model was trained on, by the Jinja template in `tokenizer.chat_template`
/// of a GGUF file or `chat_template` of a `tokenizer_config.json`. Immutable, shared by threads.
///
/// Templates are rendered as transformers renders them, with `messages`, `bos_token`, `eos_token`,
/// `add_generation_prompt`, `raise_exception` and `strftime_now`. They come from files that nobody vouches for, and can do
/// nothing but write text: see `docs/decisions/chat-templates.md`. What is in a message is never read as template.
///
/// The text names special tokens: encode it with `parseSpecial`, and without `addSpecial` where the template writes the
/// beginning-of-text token itself.
public final class ChatTemplate {

    /// What somebody said.
    ///
    /// @param role `system`, `user` or `assistant`; some templates know others
    public record Message(String role, String content) {}

    private final Optional<String> jinja;
    private final String beginOfText;
    private final String endOfText;

    /// @param jinja the template; without one, a line for each message, as `user: How are you?`, an empty line after each,
    ///        and `assistant:` for the reply, which any model can continue
    /// @param beginOfText how the beginning-of-text token is written, empty if there is none
    /// @param endOfText how the end-of-text token is written, empty if there is none
    public ChatTemplate(Optional<String> jinja, String beginOfText, String endOfText) {
        this.jinja = jinja;
        this.beginOfText = beginOfText;
        this.endOfText = endOfText;
    }

    /// The conversation, and the beginning of the assistant's reply.
    ///
    /// @throws IllegalArgumentException if the template refuses the messages, is malformed, uses what Gatun does not
    ///         offer, or writes or works too much
    public String prompt(List<Message> messages) {
        return render(messages, true);
    }

    /// The conversation alone, fit to be continued.
    ///
    /// @throws IllegalArgumentException as [#prompt]
    public String transcript(List<Message> messages) {
        return render(messages, false);
    }

    private String render(List<Message> messages, boolean reply) {
        if (jinja.isPresent()) {
            return new JinjaTemplate(jinja.get()).render(messages, beginOfText, endOfText, reply);
        }
        StringBuilder text = new StringBuilder();
        for (Message message : messages) {
            text.append(message.role()).append(": ").append(message.content().strip()).append("\n\n");
        }
        return reply ? text.append("assistant:").toString() : text.toString();
    }
}
