package org.gatun.tokenizer;

import com.hubspot.jinjava.Jinjava;
import com.hubspot.jinjava.JinjavaConfig;
import com.hubspot.jinjava.LegacyOverrides;
import com.hubspot.jinjava.el.JinjavaProcessors;
import com.hubspot.jinjava.el.ext.AbstractCallableMethod;
import com.hubspot.jinjava.interpret.Context;
import com.hubspot.jinjava.interpret.Context.Library;
import com.hubspot.jinjava.interpret.InterpretException;
import com.hubspot.jinjava.interpret.JinjavaInterpreter;
import com.hubspot.jinjava.interpret.RenderResult;
import com.hubspot.jinjava.interpret.TemplateError;
import com.hubspot.jinjava.lib.Importable;
import com.hubspot.jinjava.lib.exptest.ExpTest;
import com.hubspot.jinjava.lib.filter.Filter;
import com.hubspot.jinjava.lib.fn.MacroFunction;
import com.hubspot.jinjava.lib.tag.Tag;
import com.hubspot.jinjava.tree.Node;
import com.hubspot.jinjava.tree.TagNode;
import com.hubspot.jinjava.util.ForLoop;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import jinjava.javax.el.ELContext;
import jinjava.javax.el.MapELResolver;

/// One rendering of a Jinja template by jinjava, walled in: the template sees strings, lists and maps, has Python's methods
/// on them and the tags, filters and functions listed here, and may take a bounded number of steps.
final class JinjaTemplate {
    /* jinjava looks up properties and calls methods through an ELResolver. Ours replaces the one that uses reflection, so
     * that no Java object is within reach, whatever a template gets hold of. jinjava does not count steps: that is done
     * here, together with a look at the clock, since an empty loop takes no steps. */

    private static final int MAX_CHARACTERS = 1_000_000;
    private static final int MAX_OUTPUT = 10_000_000;
    private static final int MAX_ELEMENTS = 10_000;
    private static final int MAX_STEPS = 200_000;
    private static final long MAX_NANOS = 5_000_000_000L;
    private static final int MAX_DEPTH = 50;

    private static final Set<String> TAGS = Set.of("for", "if", "elif", "else", "set", "macro", "call", "break",
            "continue", "do", "raw", "generation");
    private static final Set<String> FILTERS = Set.of("trim", "tojson", "length", "count", "lower", "upper",
            "capitalize", "title", "replace", "default", "d", "join", "list", "first", "last", "map", "select", "reject",
            "selectattr", "rejectattr", "string", "int", "float", "abs", "safe", "unique", "reverse", "sort", "sum",
            "round", "items", "dictsort", "indent");
    /// What jinjava would take for `x if y else none`.
    private static final Pattern FILTERED_LOOP = Pattern.compile("\\sif\\s(?!.*\\selse\\s)", Pattern.DOTALL);
    private static final Set<String> FUNCTIONS = Set.of("range", "namespace", "raise_exception", "strftime_now");

    private final String template;
    private final long start = System.nanoTime();
    private int steps;
    private Optional<String> refusal = Optional.empty();

    JinjaTemplate(String template) {
        if (template.length() > MAX_CHARACTERS) {
            throw problem(template.length() + " characters: expected at most " + MAX_CHARACTERS, null);
        }
        this.template = JinjaWhitespace.apply(template);
    }

    String render(List<ChatTemplate.Message> messages, String beginOfText, String endOfText, boolean reply) {
        List<Map<String, Object>> values = new ArrayList<>();
        for (ChatTemplate.Message message : messages) {
            Map<String, Object> value = new LinkedHashMap<>();
            value.put("role", message.role());
            value.put("content", message.content());
            values.add(value);
        }
        Map<String, Object> bindings = new HashMap<>();
        bindings.put("messages", values);
        bindings.put("bos_token", beginOfText);
        bindings.put("eos_token", endOfText);
        bindings.put("add_generation_prompt", reply);
        RenderResult result;
        try {
            result = engine().renderForResult(template, bindings);
        } catch (RuntimeException e) {
            throw problem(refusal.orElse(e.getMessage()), e);
        } catch (StackOverflowError e) {
            throw problem("nested too deeply", e);
        }
        for (TemplateError error : result.getErrors()) {
            throw problem(refusal.orElse("line " + error.getLineno() + ": " + error.getMessage()),
                    error.getException());
        }
        return result.getOutput();
    }

    private static IllegalArgumentException problem(String what, Throwable cause) {
        return new IllegalArgumentException("chat template: " + what, cause);
    }

    private Jinjava engine() {
        Context all = new Jinjava().getGlobalContext();
        Jinjava engine = new Jinjava(JinjavaConfig.newBuilder()
                .withKeepTrailingNewline(true)
                .withNestedInterpretationEnabled(false)
                .withLegacyOverrides(LegacyOverrides.newBuilder()
                        .withUseNaturalOperatorPrecedence(true).withParseWhitespaceControlStrictly(true)
                        .withAllowAdjacentTextNodes(true).withUseTrimmingForNotesAndExpressions(true)
                        .withKeepNullableLoopValues(true).withHandleBackslashInQuotesOnly(true)
                        .withEvaluateMapKeys(true).withIterateOverMapKeys(true).withUsePyishObjectMapper(true).build())
                .withMaxOutputSize(MAX_OUTPUT).withMaxStringLength(MAX_OUTPUT).withMaxListSize(MAX_ELEMENTS)
                .withMaxMapSize(MAX_ELEMENTS).withRangeLimit(MAX_ELEMENTS).withMaxRenderDepth(MAX_DEPTH)
                .withMaxMacroRecursionDepth(MAX_DEPTH).withEnableRecursiveMacroCalls(true)
                .withDisabled(Map.of(
                        Library.TAG, others(all.getAllTags(), TAGS),
                        Library.FILTER, others(all.getAllFilters(), FILTERS),
                        Library.FUNCTION, others(all.getAllFunctions(), FUNCTIONS)))
                .withElResolver(new Sandbox())
                .withProcessors(JinjavaProcessors.newBuilder().withNodePreProcessor((node, _) -> step(node)).build())
                .build());
        Context context = engine.getGlobalContext();
        context.addGlobalMacro(new Call("raise_exception", message -> {
            throw refuse(message);
        }));
        context.addGlobalMacro(new Call("strftime_now",
                format -> PythonMethods.strftime(LocalDateTime.now(), format)));
        engine.registerTag(new Generation());
        engine.registerFilter(new ToJson());
        return engine;
    }

    private static Set<String> others(Collection<? extends Importable> all, Set<String> wanted) {
        return all.stream().map(Importable::getName)
                .map(name -> name.startsWith(":") ? name.substring(1) : name)
                .filter(name -> !wanted.contains(name) && !(name.startsWith("end") && wanted.contains(name.substring(3))))
                .collect(Collectors.toSet());
    }

    private void step(Node node) {
        if (++steps > MAX_STEPS || System.nanoTime() - start > MAX_NANOS) {
            throw refuse("gave up after " + steps + " steps");
        }
        if (node instanceof TagNode tag && tag.getName().equals("for") && FILTERED_LOOP.matcher(tag.getHelpers()).find()) {
            throw refuse("line " + node.getLineNumber() + ": a loop with a condition is not supported, put an if into it");
        }
    }

    /// Notes the first reason to stop; jinjava wraps and reports exceptions in many ways, and may go on.
    private InterpretException refuse(String why) {
        refusal = refusal.or(() -> Optional.of(why));
        return new InterpretException(why);
    }

    /// A function of one argument; a macro, since jinjava calls functions by reflection.
    private static final class Call extends MacroFunction {
        private final Function<String, String> function;

        Call(String name, Function<String, String> function) {
            super(List.of(), name, new LinkedHashMap<>(Map.of("argument", "")), false, null, 0, 0);
            this.function = function;
        }

        @Override
        public Object doEvaluate(Map<String, Object> arguments, Map<String, Object> named, List<Object> more) {
            return function.apply(String.valueOf(arguments.get("argument")));
        }
    }

    /// `{% generation %}`, by which transformers marks what the model says; writes what it encloses.
    private static final class Generation implements Tag {
        private static final long serialVersionUID = 1L;

        @Override
        public String getName() {
            return "generation";
        }

        @Override
        public String getEndTagName() {
            return "endgeneration";
        }

        @Override
        public String interpret(TagNode tag, JinjavaInterpreter interpreter) {
            return tag.getChildren().stream().map(node -> node.render(interpreter).getValue())
                    .collect(Collectors.joining());
        }
    }

    /// `tojson` as transformers has it: Python's spacing, no HTML escapes.
    private static final class ToJson implements Filter {
        @Override
        public String getName() {
            return "tojson";
        }

        @Override
        public Object filter(Object value, JinjavaInterpreter interpreter, String... arguments) {
            return PythonMethods.json(value);
        }
    }

    /// All that templates can do with values. An ELResolver proper would have to name a class of module java.desktop.
    private static final class Sandbox extends MapELResolver {
        @Override
        public Object getValue(ELContext context, Object base, Object property) {
            context.setPropertyResolved(true);
            return switch (base) {
                case Map<?, ?> map -> map.get(String.valueOf(property));
                case List<?> list -> element(list, property);
                case Object[] array -> element(Arrays.asList(array), property);
                case String text -> element(text.codePoints().mapToObj(Character::toString).toList(), property);
                case Map.Entry<?, ?> entry -> element(Arrays.asList(entry.getKey(), entry.getValue()), property);
                case ForLoop loop -> switch (String.valueOf(property)) {
                    case "index" -> loop.getIndex();
                    case "index0" -> loop.getIndex0();
                    case "revindex" -> loop.getRevindex();
                    case "revindex0" -> loop.getRevindex0();
                    case "first" -> loop.isFirst();
                    case "last" -> loop.isLast();
                    case "length" -> loop.getLength();
                    default -> null;
                };
                case null, default -> null;
            };
        }

        private static Object element(List<?> list, Object index) {
            try {
                int at = Integer.parseInt(String.valueOf(index));
                at += at < 0 ? list.size() : 0;
                return at >= 0 && at < list.size() ? list.get(at) : null;
            } catch (NumberFormatException _) {
                return null;
            }
        }

        @Override
        @SuppressWarnings("unchecked")
        public Object invoke(ELContext context, Object base, Object method, Class<?>[] types, Object[] arguments) {
            String name = String.valueOf(method);
            context.setPropertyResolved(true);
            return switch (base) {
                case Filter filter when name.equals("filter") -> filter.filter(arguments[0],
                        (JinjavaInterpreter) arguments[1], (Object[]) arguments[2], (Map<String, Object>) arguments[3]);
                case ExpTest test when name.startsWith("evaluate") -> {
                    Object[] more = Arrays.copyOfRange(arguments, 2, arguments.length);
                    JinjavaInterpreter interpreter = (JinjavaInterpreter) arguments[1];
                    yield name.equals("evaluate") ? test.evaluate(arguments[0], interpreter, more)
                            : test.evaluateNegated(arguments[0], interpreter, more);
                }
                case AbstractCallableMethod callable when name.equals("evaluate") -> callable.evaluate(arguments);
                case Map<?, ?> map when name.equals("get") -> arguments.length == 0 ? null
                        : map.get(arguments[0]) != null || arguments.length < 2 ? map.get(arguments[0]) : arguments[1];
                case null, default -> PythonMethods.call(base, name, Arrays.asList(arguments)).orElseThrow(
                        () -> new InterpretException("no method " + name + " of " + arguments.length + " arguments on "
                                + (base == null ? "none" : base.getClass().getSimpleName())));
            };
        }

        @Override
        public void setValue(ELContext context, Object base, Object property, Object value) {
            throw new InterpretException("values cannot be changed");
        }
    }
}
