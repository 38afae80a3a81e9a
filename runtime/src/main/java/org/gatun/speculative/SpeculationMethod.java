package org.gatun.speculative;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.gatun.model.Model;

/// A registered way to draft: its name, where it comes from, its options, and how to make its drafter. This list is the
/// only place that knows methods by name; the shared test suites run on every entry.
///
/// @param name on the command line
/// @param summary one line for people
/// @param source the paper or origin
/// @param needsDraftModel whether a second model must be given
/// @param options what can be set
/// @param factory makes a drafter for a target
public record SpeculationMethod(
        String name, String summary, String source, boolean needsDraftModel, List<Option> options, Factory factory) {

    /// An integer setting of a method.
    ///
    /// @param name as written in `method:name=value`
    /// @param summary one line for people
    /// @param standard value if none is given
    /// @param least smallest value
    /// @param most largest value
    public record Option(String name, String summary, int standard, int least, int most) {}

    /// Makes the drafter of a configured method.
    @FunctionalInterface
    public interface Factory {
        /// @param target the model that verifies
        /// @param draft the second model, present if the method needs one
        /// @param options a value for every option of the method
        Drafter open(Model target, Optional<Model> draft, Map<String, Integer> options);
    }

    /// Every method, `none` first.
    public static final List<SpeculationMethod> ALL = List.of(
            new SpeculationMethod("none", "plain decoding: one token a pass", "", false, List.of(),
                    (target, draft, options) -> new NoDrafter()),
            new SpeculationMethod("draft", "a smaller model proposes a chain, as long as the target tends to accept",
                    "Leviathan et al. 2023, arXiv 2211.17192", true,
                    List.of(new Option("first", "tokens drafted at first", 4, 1, 63),
                            new Option("most", "tokens drafted at most", 8, 1, 63),
                            new Option("lead", "stop after a token whose logit leads by less, in tenths", 5, 0, 1000)),
                    (target, draft, options) -> new ModelDrafter(draft.orElseThrow().openSession(), options.get("first"),
                            options.get("most"), options.get("lead") / 10f)),
            new SpeculationMethod("lookup", "proposes what followed the same words earlier in the text",
                    "Saxena 2023, prompt lookup decoding", false,
                    List.of(new Option("suffix", "most tokens of the end to look for", 3, 1, 16),
                            new Option("most", "most tokens to propose", 8, 1, 63)),
                    (target, draft, options) -> new LookupDrafter(options.get("suffix"), options.get("most"))));

    public SpeculationMethod {
        options = List.copyOf(options);
    }

    /// The names of all methods, for messages.
    public static String names() {
        return ALL.stream().map(SpeculationMethod::name).collect(Collectors.joining(", "));
    }

    /// A method with its options set, from a text like `lookup` or `draft:first=6:most=12`.
    ///
    /// @throws IllegalArgumentException if there is no such method or option, or a value is out of range
    public static Speculation parse(String text) {
        String[] parts = text.strip().split(":", -1);
        SpeculationMethod method = ALL.stream().filter(candidate -> candidate.name.equals(parts[0])).findFirst()
                .orElseThrow(() -> new IllegalArgumentException(
                        "unknown speculation method '" + parts[0] + "': expected one of " + names()));
        Map<String, Integer> values = new LinkedHashMap<>();
        method.options.forEach(option -> values.put(option.name, option.standard));
        for (int i = 1; i < parts.length; i++) {
            String[] setting = parts[i].split("=", 2);
            values.put(setting[0], method.value(setting[0], setting.length == 2 ? setting[1] : ""));
        }
        return new Speculation(method, values);
    }

    private int value(String optionName, String text) {
        Option option = options.stream().filter(candidate -> candidate.name.equals(optionName)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("method " + name + " has no option '" + optionName
                        + "': expected " + (options.isEmpty() ? "none"
                                : options.stream().map(Option::name).collect(Collectors.joining(", ")))));
        String expected = "expected a whole number from " + option.least + " to " + option.most;
        try {
            int value = Integer.parseInt(text);
            if (value < option.least || value > option.most) {
                throw new IllegalArgumentException(name + ":" + optionName + "=" + text + ": " + expected);
            }
            return value;
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + ":" + optionName + "=" + text + ": " + expected, e);
        }
    }
}
