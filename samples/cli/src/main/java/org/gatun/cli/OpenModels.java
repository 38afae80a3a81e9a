package org.gatun.cli;

import java.util.Optional;
import org.gatun.backend.Backend;
import org.gatun.generation.Generation;
import org.gatun.generation.GenerationOptions;
import org.gatun.model.Model;
import org.gatun.model.Session;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.method.Speculation;
import org.gatun.stories.StoryModels;

/// The models of a command and their backend, all closed together, after their sessions.
///
/// @param backend what they run on
/// @param target the model
/// @param draft the model that may draft for it
/// @param pair the embedded models, if these are they
record OpenModels(Backend backend, Model target, Optional<Model> draft, Optional<StoryModels> pair) implements AutoCloseable {
    private static final int PERMILLE = 1000;

    /// What they take of the host's memory.
    MemoryNeed need() {
        MemoryNeed need = MemoryNeed.of(target);
        return draft.map(model -> need.plus(MemoryNeed.of(model))).orElse(need);
    }

    /// Opens a session on the target; the caller closes it.
    Session openSession(Console console) {
        return openSession(target, console);
    }

    /// Brings the weights of all models to the backend, and finds out whether there is room for a session of each.
    void prepare(Console console) {
        try (Session _ = openSession(target, console)) {
            draft.ifPresent(model -> openSession(model, console).close());
        }
    }

    private static Session openSession(Model model, Console console) {
        try (Progress progress = new Progress(console, "preparing " + model.name(), PERMILLE)) {
            return model.openSession(part -> progress.at((long) (part * PERMILLE)));
        }
    }

    /// A drafter for the target; the caller closes it, before the session.
    Drafter openDrafter(Speculation speculation) {
        return speculation.open(target, draft);
    }

    /// Reads a prompt; the caller closes the generation.
    ///
    /// @param drafter keeps what it learns for the next prompt
    /// @throws IllegalArgumentException if the prompt is empty or leaves no room for a token
    Generation begin(Session session, int[] prompt, Drafter drafter, GenerationOptions options, Console console) {
        if (prompt.length == 0) {
            throw new IllegalArgumentException("the prompt is empty: " + target.name()
                    + " has no beginning-of-text token, so give at least a word");
        }
        if (prompt.length >= session.capacity()) {
            throw new IllegalArgumentException("the prompt has " + prompt.length + " tokens: expected fewer than the "
                    + session.capacity() + " of the context; shorten it, or give a larger --context");
        }
        try (Progress _ = new Progress(console, "reading the prompt of " + prompt.length + " tokens")) {
            return new Generation(session, prompt, drafter, options);
        }
    }

    @Override
    public void close() {
        try (backend; target) {
            draft.ifPresent(Model::close);
            pair.ifPresent(StoryModels::close);
        }
    }
}
