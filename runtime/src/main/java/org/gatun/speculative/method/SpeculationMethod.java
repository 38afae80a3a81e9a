package org.gatun.speculative.method;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.gatun.model.Model;
import org.gatun.speculative.Drafter;
import org.gatun.speculative.Requirements;
import org.gatun.speculative.draftmodel.ChainDrafter;
import org.gatun.speculative.draftmodel.TreeDrafter;
import org.gatun.speculative.method.Option.Choice;
import org.gatun.speculative.method.Option.Decimal;
import org.gatun.speculative.method.Option.Number;
import org.gatun.speculative.method.Option.Numbers;
import org.gatun.speculative.method.Option.Text;
import org.gatun.speculative.retrieval.AdedDrafter;
import org.gatun.speculative.retrieval.FusionDrafter;
import org.gatun.speculative.retrieval.LookaheadDrafter;
import org.gatun.speculative.retrieval.LookupDrafter;
import org.gatun.speculative.retrieval.RecyclingDrafter;
import org.gatun.speculative.retrieval.RetrievalDrafter;
import org.gatun.speculative.retrieval.StandDrafter;
import org.gatun.speculative.selfspeculation.ExitDrafter;
import org.gatun.speculative.selfspeculation.SwiftDrafter;

/// A registered way to draft: its name, where it comes from, its options, and how to make its drafter. This list is the
/// only place that knows methods by name; the shared test suites run on every entry.
///
/// @param name on the command line
/// @param summary one line for people
/// @param source the paper or origin
/// @param needs what it needs, by its settings
/// @param samplesProposals whether, without options, it samples proposals at temperatures above 0: then the text follows the distribution
///        of plain decoding, else it is the text of plain decoding
/// @param options what can be set
/// @param factory makes a drafter for a target
public record SpeculationMethod(
        String name, String summary, String source, Function<Settings, Requirements> needs, boolean samplesProposals,
        List<Option> options, Factory factory) {

    /// Makes the drafter of a configured method.
    @FunctionalInterface
    public interface Factory {
        /// @param target the model that verifies
        /// @param draft the second model, present if it is required
        Drafter open(Model target, Optional<Model> draft, Settings settings);
    }

    private static final Option CORPUS = new Text("corpus", "file of text to search", "", "a file of UTF-8 text");

    /// Every method, `none` first.
    public static final List<SpeculationMethod> ALL = List.of(
            new SpeculationMethod("none", "plain decoding: one token a pass", "", Requirements.NONE, false, List.of(),
                    (target, draft, settings) -> new NoDrafter()),
            new SpeculationMethod("draft", "a smaller model proposes a chain, as long as the target tends to accept",
                    "Leviathan et al. 2023, arXiv 2211.17192", Requirements.DRAFT_MODEL, false,
                    List.of(new Number("first", "tokens drafted at first", 4, 1, 63),
                            new Number("max", "tokens drafted at most", 8, 1, 63),
                            new Decimal("margin", "stop after a token whose logit is not ahead of the second by this much", 0.5, 0, 100),
                            new Choice("draft-ahead", "go on while the target verifies; auto where a device does that", "auto", "yes",
                            "no")),
                    (target, draft, settings) -> new ChainDrafter(draft.orElseThrow().openSession(), settings.number("first"),
                            settings.number("max"), (float) settings.decimal("margin"),
                            ChainDrafter.DraftAhead.valueOf(settings.text("draft-ahead").toUpperCase(Locale.ROOT)))),
            new SpeculationMethod("specinfer", "a smaller model samples a tree of fixed shape, each child for itself",
                    "Miao et al. 2023, arXiv 2305.09781", Requirements.DRAFT_MODEL, true,
                    List.of(new Numbers("branching", "children of a node, level by level", "2-1-1-1", 16)),
                    (target, draft, settings) -> TreeDrafter.independent(draft.orElseThrow().openSession(), settings.numbers("branching"))),
            new SpeculationMethod("sequoia", "a smaller model samples the tree that is best for the acceptance seen so far",
                    "Chen et al. 2024, arXiv 2402.12374", Requirements.DRAFT_MODEL, true,
                    List.of(new Number("rows", "nodes of the tree", 8, 2, 64),
                            new Number("depth", "levels at most", 5, 1, 16)),
                    (target, draft, settings) -> TreeDrafter.sequoia(draft.orElseThrow().openSession(), settings.number("rows"),
                            settings.number("depth"))),
            new SpeculationMethod("dyspec", "a smaller model samples a tree that grows where acceptance is probable",
                    "Xiong et al. 2024, arXiv 2410.11744", Requirements.DRAFT_MODEL, true,
                    List.of(new Number("rows", "most nodes of the tree", 8, 2, 64),
                            new Decimal("threshold", "least probability that a node is tested", 0.2, 0.01, 0.99),
                            new Number("depth", "levels at most", 8, 1, 16)),
                    (target, draft, settings) -> TreeDrafter.threshold(draft.orElseThrow().openSession(),
                            settings.decimal("threshold"), settings.number("depth"), settings.number("rows"))),
            new SpeculationMethod("rsd-c", "a smaller model samples a tree of fixed shape, the children of a node all different",
                    "Jeon et al. 2024, arXiv 2402.14160", Requirements.DRAFT_MODEL, true,
                    List.of(new Numbers("branching", "children of a node, level by level", "2-1-1-1", 16)),
                    (target, draft, settings) -> TreeDrafter.withoutReplacement(draft.orElseThrow().openSession(),
                            settings.numbers("branching"))),
            new SpeculationMethod("rsd-s", "a smaller model samples a beam of whole sequences, all different",
                    "Jeon et al. 2024, arXiv 2402.14160", Requirements.DRAFT_MODEL, true,
                    List.of(new Number("width", "nodes of a level", 2, 1, 16),
                            new Number("depth", "levels", 4, 1, 16)),
                    (target, draft, settings) -> TreeDrafter.stochasticBeam(draft.orElseThrow().openSession(),
                            settings.number("width"), settings.number("depth"))),
            new SpeculationMethod("eagle-growth", "a smaller model's most probable paths, whatever the shape of their tree",
                    "Li et al. 2024, arXiv 2406.16858, with a plain draft model", Requirements.DRAFT_MODEL, false,
                    List.of(new Number("rows", "nodes of the tree", 8, 2, 64),
                            new Number("branch", "paths continued on each level", 2, 1, 16),
                            new Number("depth", "levels", 5, 1, 16)),
                    (target, draft, settings) -> TreeDrafter.bestFirst(draft.orElseThrow().openSession(), settings.number("branch"),
                            settings.number("depth"), settings.number("rows"))),
            new SpeculationMethod("swift", "the model drafts for itself, without the layer parts that it misses least",
                    "Xia et al. 2024, arXiv 2410.06916", Requirements.TARGET_LAYERS, true,
                    List.of(new Number("max", "tokens drafted at most", 8, 1, 63),
                            new Number("branch", "siblings at most", 2, 1, 10),
                            new Number("window", "latest tokens that a set of parts is judged by", 32, 8, 64),
                            new Decimal("skip", "share of the parts to leave out", 0.45, 0.01, 0.99)),
                    (target, draft, settings) -> new SwiftDrafter(settings.number("max"), settings.number("branch"),
                            settings.number("window"), settings.decimal("skip"))),
            new SpeculationMethod("del", "the model's first layers draft, as many layers and tokens as pay at the time",
                    "Entezari Zarch et al. 2025, arXiv 2504.05598", Requirements.TARGET_LAYERS, false,
                    List.of(new Number("max", "tokens drafted at most", 8, 1, 63)),
                    (target, draft, settings) -> new ExitDrafter(settings.number("max"))),
            new SpeculationMethod("lookup", "proposes what followed the same words earlier in the text",
                    "Saxena 2023, prompt lookup decoding", Requirements.NONE, false,
                    List.of(new Number("suffix", "most tokens of the end to look for", 3, 1, 16),
                            new Number("max", "most tokens to propose", 8, 1, 63)),
                    (target, draft, settings) -> new LookupDrafter(settings.number("suffix"), settings.number("max"))),
            new SpeculationMethod("recycling", "proposes what the model itself last held likely after the same token",
                    "Luo et al. 2024, arXiv 2408.08696", Requirements.LOGITS, false,
                    List.of(new Number("rows", "most rows of a pass", 8, 2, RecyclingDrafter.MAX_ROWS)),
                    (target, draft, settings) -> new RecyclingDrafter(target.config().vocabulary(), settings.number("rows"))),
            new SpeculationMethod("stand", "samples from the average of what the model held likely after the same few tokens",
                    "Song et al. 2025, arXiv 2506.04708", Requirements.LOGITS, true,
                    List.of(new Number("rows", "most rows of a pass", 8, 2, StandDrafter.MAX_ROWS)),
                    (target, draft, settings) -> new StandDrafter(target.config().vocabulary(), settings.number("rows"))),
            new SpeculationMethod("lookahead", "lets the model guess several tokens ahead, and proposes the phrases it settles on",
                    "Fu et al. 2024, arXiv 2402.02057", Requirements.LOGITS, false,
                    List.of(new Number("window", "tokens guessed at once", 3, 1, 16),
                            new Number("length", "tokens of a phrase", 4, 2, 8),
                            new Number("guesses", "phrases proposed at most", 2, 1, 16)),
                    (target, draft, settings) -> new LookaheadDrafter(target.unpaddedVocabulary(), settings.number("window"),
                            settings.number("length"), settings.number("guesses"))),
            new SpeculationMethod("rest", "proposes what followed the same tokens in a corpus, or in the texts decoded so far",
                    "He et al. 2023, arXiv 2311.08252", Requirements.NONE, false,
                    List.of(CORPUS, new Number("rows", "most rows of a pass", 8, 2, 64)),
                    (target, draft, settings) -> RetrievalDrafter.of(settings.text("corpus"), target, settings.number("rows") - 1)),
            new SpeculationMethod("aded", "searches a table of trigrams that drifts towards the text",
                    "Liu et al. 2024, arXiv 2407.12021", Requirements.NONE, false,
                    List.of(CORPUS, new Number("rows", "most rows of a pass", 8, 2, 64)),
                    (target, draft, settings) -> new AdedDrafter(settings.text("corpus"), target, settings.number("rows"))),
            new SpeculationMethod("rasd", "continues what another method proposes with what followed earlier in the text, or in a corpus",
                    "Quan et al. 2025, arXiv 2503.03434", settings -> inner(settings.text("inner"), false).requirements(), false,
                    List.of(new Text("inner", "the other method; draft if there is a draft model, else recycling", "", "a method"),
                            CORPUS, new Number("rows", "rows kept for what is found", 4, 1, 32)),
                    (target, draft, settings) -> new FusionDrafter(
                            RetrievalDrafter.ofTextAnd(settings.text("corpus"), target, settings.number("rows")),
                            inner(settings.text("inner"), draft.isPresent()).open(target, draft), settings.number("rows"))),
            new SpeculationMethod("auto", "whichever of some methods is fastest as the text goes, or none",
                    "", settings -> Automatic.requirements(methods(settings)), false,
                    List.of(new Text("methods", "methods to choose among, with + between", "draft+lookup", "names of methods")),
                    (target, draft, settings) -> Automatic.open(methods(settings), target, draft)));

    public SpeculationMethod {
        options = List.copyOf(options);
    }

    /// One whose settings change nothing about what it needs.
    private SpeculationMethod(String name, String summary, String source, Requirements needs, boolean samplesProposals, List<Option> options,
            Factory factory) {
        this(name, summary, source, _ -> needs, samplesProposals, options, factory);
    }

    /// The names of all methods, for messages.
    public static String names() {
        return ALL.stream().map(SpeculationMethod::name).collect(Collectors.joining(", "));
    }

    /// A method with its options set, from a text like `lookup` or `draft:first=6:max=12`.
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
            values.put(FormerOptions.name(setting[0]), method.checked(setting[0], setting.length == 2 ? setting[1] : ""));
        }
        return new Speculation(method, new Settings(values));
    }

    /// @param hasDraft whether there is a draft model; one that nobody asked for is no requirement
    private static Speculation inner(String name, boolean hasDraft) {
        return parse(!name.isEmpty() ? name : hasDraft ? "draft" : "recycling");
    }

    private static String[] methods(Settings settings) {
        return settings.text("methods").split("\\+", -1);
    }

    private String checked(String optionName, String given) {
        String present = FormerOptions.name(optionName);
        String value = FormerOptions.value(optionName, given);
        Option option = options.stream().filter(candidate -> candidate.name().equals(present)).findFirst()
                .orElseThrow(() -> new IllegalArgumentException("method " + name + " has no option '" + optionName
                        + "': expected " + (options.isEmpty() ? "none"
                                : options.stream().map(Option::name).collect(Collectors.joining(", ")))));
        if (!option.accepts(value)) {
            throw new IllegalArgumentException(name + ":" + present + "=" + value + ": expected " + option.expected());
        }
        return value;
    }
}
