package org.gatun.model.architecture;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/// The architectures there are. A new one is a class beside these and a line here.
public final class Architectures {
    static final Architecture MISTRAL = new Mistral();

    private static final List<Architecture> ALL = List.of(new Llama(), MISTRAL, new Qwen2(), new Qwen3());

    private Architectures() {}

    /// All of them.
    public static List<Architecture> all() {
        return ALL;
    }

    /// The plainest, for models without a file: a pre-norm decoder with grouped-query attention, rotary positions and SwiGLU, and nothing
    /// else.
    public static Architecture plain() {
        return ALL.getFirst();
    }

    /// That which GGUF calls so under `general.architecture`.
    public static Optional<Architecture> ofGguf(String name) {
        return ALL.stream().filter(one -> one.names().gguf().contains(name)).findFirst();
    }

    /// That which `config.json` calls so under `model_type`.
    public static Optional<Architecture> ofModelType(String name) {
        return ALL.stream().filter(one -> one.names().modelType().equals(name)).findFirst();
    }

    /// What GGUF calls them, for messages.
    public static String ggufNames() {
        return ALL.stream().flatMap(one -> one.names().gguf().stream()).collect(Collectors.joining(", "));
    }

    /// What `config.json` calls them, for messages.
    public static String modelTypes() {
        return ALL.stream().map(one -> one.names().modelType()).collect(Collectors.joining(", "));
    }
}
