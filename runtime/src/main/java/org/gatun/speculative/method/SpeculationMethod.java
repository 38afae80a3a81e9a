package org.gatun.speculative.method;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import org.gatun.model.Model;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.drafting.ChainDrafter;
import org.gatun.speculative.method.Option.Number;
import org.gatun.speculative.method.Option.Text;
import org.gatun.speculative.retrieval.LookupDrafter;

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

    /// Makes the drafter of a configured method.
    @FunctionalInterface
    public interface Factory {
        /// @param target the model that verifies
        /// @param draft the second model, present if the method needs one
        Drafter open(Model target, Optional<Model> draft, Settings settings);
    }

    /// Every method, `none` first.
    public static final List<SpeculationMethod> ALL = List.of(
            new SpeculationMethod("none", "plain decoding: one token a pass", "", false, List.of(),
                    (target, draft, settings) -> new NoDrafter()),
            new SpeculationMethod("draft", "a smaller model proposes a chain, as long as the target tends to accept",
                    "Leviathan et al. 2023, arXiv 2211.17192", true,
                    List.of(new Number("first", "tokens drafted at first", 4, 1, 63),
                            new Number("most", "tokens drafted at most", 8, 1, 63),
                            new Number("lead", "stop after a token whose logit leads by less, in tenths", 5, 0, 1000)),
                    (target, draft, settings) -> new ChainDrafter(draft.orElseThrow().openSession(), settings.number("first"),
                            settings.number("most"), settings.number("lead") / 10f)),
            new SpeculationMethod("lookup", "proposes what followed the same words earlier in the text",
                    "Saxena 2023, prompt lookup decoding", false,
                    List.of(new Number("suffix", "most tokens of the end to look for", 3, 1, 16),
                            new Number("most", "most tokens to propose", 8, 1, 63)),
                    (target, draft, settings) -> new LookupDrafter(settings.number("suffix"), settings.number("most"))),
            new SpeculationMethod("auto", "whichever of some methods is fastest as the text goes, or none",
                    "", false, List.of(new Text("methods", "methods to choose among, with + between", "draft+lookup", "names of methods")),
                    (target, draft, settings) -> Automatic.open(settings.text("methods").split("\\+", -1), target, draft)));

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
        Map<String, String> values = new LinkedHashMap<>();
        method.options.forEach(option -> values.put(option.name(), option.standard()));
        for (int i = 1; i < parts.length; i++) {
            String[] setting = parts[i].split("=", 2);
            values.put(setting[0], method.checked(setting[0], setting.length == 2 ? setting[1] : ""));
        }
        return new Speculation(method, new Settings(values));
    }

    private String checked(String optionName, String value) {
        Option option = options.stream().filter(candidate -> candidate.name().equals(optionName)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("method " + name + " has no option '" + optionName
                        + "': expected " + (options.isEmpty() ? "none"
                                : options.stream().map(Option::name).collect(Collectors.joining(", ")))));
        if (!option.accepts(value)) {
            throw new IllegalArgumentException(name + ":" + optionName + "=" + value + ": expected " + option.expected());
        }
        return value;
    }
}
