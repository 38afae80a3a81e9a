package org.gatun.serving;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.tokenizer.ChatTemplate;
import org.gatun.tokenizer.Tokenizer;

/// A text to be continued by an [Engine].
///
/// @param prompt token ids, at least one; copied
/// @param options how it is continued
/// @param priority lower ones run first, and may make higher ones wait that run already
/// @param timeout from [Engine#submit] on, for waiting and running; empty for as long as it takes
/// @param key of whom it is for: those with few requests running come before those with many
public record Request(int[] prompt, GenerationOptions options, int priority, Optional<Duration> timeout, String key) {
    /// Most characters of a key.
    public static final int MAX_KEY = 256;

    /// @throws IllegalArgumentException if the prompt is empty, the timeout is not positive, or the key is too long
    public Request {
        prompt = prompt.clone();
        if (prompt.length == 0) {
            throw new IllegalArgumentException("the prompt is empty: expected at least one token");
        }
        timeout.ifPresent(time -> {
            if (!time.isPositive()) {
                throw new IllegalArgumentException("timeout " + time + ": expected a positive time");
            }
        });
        if (key.length() > MAX_KEY) {
            throw new IllegalArgumentException("a key of " + key.length() + " characters: expected at most " + MAX_KEY);
        }
    }

    /// Tokens, with [GenerationOptions#STANDARD], priority 0, no timeout and no key.
    ///
    /// @throws IllegalArgumentException if there are none
    public static Request of(int... prompt) {
        return new Request(prompt, GenerationOptions.STANDARD, 0, Optional.empty(), "");
    }

    /// A text, which gets the model's beginning-of-text token.
    ///
    /// @param model that will continue it
    public static Request of(Model model, String prompt) {
        return of(model.tokenizer().encode(prompt, Tokenizer.Special.ADD));
    }

    /// The next turn of a conversation, written as the model's chat template says.
    ///
    /// @param model that will continue it
    /// @throws IllegalArgumentException if the model has no chat template, or that refuses the messages
    public static Request ofChat(Model model, List<ChatTemplate.Message> messages) {
        ChatTemplate template = model.chatTemplate().orElseThrow(
                () -> new IllegalArgumentException(model.name() + " has no chat template: expected a prompt of text or tokens"));
        return of(model.tokenizer().encode(template.prompt(messages), new Tokenizer.Special(false, true)));
    }

    /// This request with other options.
    public Request withOptions(GenerationOptions options) {
        return new Request(prompt, options, priority, timeout, key);
    }

    /// This request with another priority.
    public Request withPriority(int priority) {
        return new Request(prompt, options, priority, timeout, key);
    }

    /// This request with a timeout.
    public Request withTimeout(Duration timeout) {
        return new Request(prompt, options, priority, Optional.of(timeout), key);
    }

    /// This request for somebody.
    public Request withKey(String key) {
        return new Request(prompt, options, priority, timeout, key);
    }

    /// A copy of the prompt.
    @Override
    public int[] prompt() {
        return prompt.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Request(int[] tokens, GenerationOptions how, int rank, Optional<Duration> time, String whose)
                && Arrays.equals(prompt, tokens) && options.equals(how) && priority == rank && timeout.equals(time) && key.equals(whose);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(prompt) + options.hashCode();
    }

    @Override
    public String toString() {
        return "Request[prompt=" + prompt.length + " tokens, options=" + options + ", priority=" + priority + ", timeout=" + timeout
                + ", key=" + key + "]";
    }
}
