package org.gatun.tokenizer;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Cuts text into the words that byte-pair merges stay within. Each pattern cuts the pieces that the ones before it
/// left: what it matches becomes a piece, and so does what lies between matches. No pattern sees beyond its piece.
///
/// The patterns are those published with the models, under the names that GGUF files use (`tokenizer.ggml.pre`).
final class PreTokenizer {
    /* Rules for a pattern, since texts of millions of characters must neither overflow the stack nor take quadratic
     * time: repeat only single characters or classes (java.util.regex recurses on repeated groups), and let an attempt
     * that fails never be one that scanned far (hence the look-behind in DEEPSEEK_LLM, which changes no match). */

    static final String GPT2 =
            "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
    private static final String CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private static final String WORD = "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+";
    private static final String SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
    private static final String SIGNS_SPACES = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" + SPACES;
    private static final String LLAMA3 = CONTRACTION + "|" + WORD + "|\\p{N}{1,3}|" + SIGNS_SPACES;
    private static final String QWEN2 = CONTRACTION + "|" + WORD + "|\\p{N}|" + SIGNS_SPACES;
    private static final String QWEN35 = CONTRACTION + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}"
            + "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" + SPACES;
    private static final String HAN_KANA = "[一-龥぀-ゟ゠-ヿ]+";
    private static final String DEEPSEEK_CJK = "[一-龥ࠀ-一가-퟿]+";
    private static final String LOWER = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+";
    private static final String UPPER = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+"
            + "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*";
    private static final String SLASHED_SPACES = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" + SPACES;
    private static final String GPT4O = LOWER + CONTRACTION + "?|" + UPPER + CONTRACTION + "?|\\p{N}{1,3}|"
            + SLASHED_SPACES;
    private static final String TEKKEN = LOWER + "|" + UPPER + "|\\p{N}|" + SLASHED_SPACES;
    private static final String KIMI = "[\\p{IsHan}]+|" + GPT4O
            .replace("\\p{Lo}\\p{M}]", "\\p{Lo}\\p{M}&&[^\\p{IsHan}]]").replace("[\\r\\n/]", "[\\r\\n]");
    private static final String DEEPSEEK_WORD = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
            + "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" + SPACES;
    private static final String DEEPSEEK_LLM = "\\s?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}\\x{1C4}-\\x{293}"
            + "\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}\\x{37F}\\x{386}"
            + "\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}"
            + "\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}"
            + "\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}"
            + "\\x{1F18}-\\x{1F1D}\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}"
            + "\\x{1F5D}\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}"
            + "\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}\\x{1FF2}-\\x{1FF4}"
            + "\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}\\x{2119}-\\x{211D}\\x{2124}"
            + "\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}\\x{2139}\\x{213C}-\\x{213F}"
            + "\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}"
            + "\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}"
            + "\\x{A771}-\\x{A787}\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}"
            + "\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}"
            + "\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}"
            + "\\x{1E900}-\\x{1E943}]+";
    static final String PUNCTUATION = "[\\p{P}$+<=>^~|]+";
    private static final String BLOOM = " ?[^(\\s|.,!?…。，、।۔،)]+";
    /// Runs of digits, from their right end in threes: `1 234 567`. A pattern for this would look ahead over the whole
    /// run at each group.
    private static final String DIGIT_TRIPLES = "digit triples";

    private static final Set<String> KNOWN = Set.of(GPT2, LLAMA3, QWEN2, QWEN35, GPT4O, TEKKEN, KIMI, DEEPSEEK_WORD,
            PUNCTUATION, BLOOM, "\\p{N}", "\\p{N}+",
            "\\p{N}{1,3}", "[0-9][0-9][0-9]", "[\\r\\n]", "[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", HAN_KANA,
            DEEPSEEK_CJK);

    /// For files that name none.
    private static final String[] FALLBACK = {PUNCTUATION, GPT2, "\\p{N}+", "[0-9][0-9][0-9]"};

    /// The expressions of each name.
    private static final Map<String, String[]> NAMED = named();

    private final List<Optional<Pattern>> steps;

    private PreTokenizer(String... expressions) {
        steps = Arrays.stream(expressions)
                .map(e -> e.equals(DIGIT_TRIPLES) ? Optional.<Pattern>empty()
                        : Optional.of(Pattern.compile(e, Pattern.UNICODE_CHARACTER_CLASS)))
                .toList();
    }

    private static Map<String, String[]> named() {
        Map<String, String[]> named = new TreeMap<>();
        name(named, List.of("default"), FALLBACK);
        name(named, List.of("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
                "dbrx", "smaug-bpe", "glm4", "chatglm-bpe", "cl100k_base"), LLAMA3);
        name(named, List.of("qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"),
                QWEN2);
        name(named, List.of("qwen35"), QWEN35);
        name(named, List.of("ufakzeka"), WORD + "|\\p{N}|" + SIGNS_SPACES);
        name(named, List.of("laguna"), "[^\\n]+|\\n+", QWEN2);
        name(named, List.of("minicpm5"), "\\p{N}{1,3}", QWEN2.replace("\\p{N}|", "\\p{N}+|"));
        name(named, List.of("jais-2"), LLAMA3.substring(0, LLAMA3.indexOf("\\s+(?!\\S)"))
                + "\\s{512}(?!\\S)|\\s{256}(?!\\S)|\\s{128}(?!\\S)|\\s{64}(?!\\S)|\\s{32}(?!\\S)|\\s{16}(?!\\S)"
                + "|\\s{8}(?!\\S)|\\s{4}(?!\\S)|\\s{1,2}(?!\\S)|\\s");
        name(named, List.of("bailingmoe", "bailingmoe2", "llada-moe"), "'(?i:[sdmt]|ll|ve|re)|" + WORD
                + "|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+");
        name(named, List.of("seed-coder"), CONTRACTION + "|" + WORD + "|\\p{N}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" + SPACES);
        name(named, List.of("gpt-2", "phi-2", "jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe",
                "gigachat", "a.x-4.0", "mellum", "modern-bert", "mpt", "olmo", "jais", "exaone4", "trillion", "granite-docling", "gpt-neox",
                "stablelm", "r50k_base", "p50k_base"), GPT2);
        name(named, List.of("starcoder", "refact", "command-r", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"), "\\p{N}", GPT2);
        name(named, List.of("falcon"), "[\\p{P}$+<=>^~|`]+", GPT2, "[0-9][0-9][0-9]");
        name(named, List.of("deepseek-llm"), "[\\r\\n]", DEEPSEEK_LLM, "\\s?[!-/:-~！-／：-～‘-‟　-。]+", "(?<!\\s)\\s+\\z", DEEPSEEK_CJK,
                "\\p{N}+");
        name(named, List.of("deepseek-coder"), "[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}");
        name(named, List.of("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"), "\\p{N}{1,3}", HAN_KANA, DEEPSEEK_WORD);
        name(named, List.of("afmoe"), DIGIT_TRIPLES, "[一-鿿㐀-䶿\\x{F900}-\\x{FAFF}぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+", DEEPSEEK_WORD);
        name(named, List.of("youtu"), "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+", GPT4O.replace("\\p{N}{1,3}", "\\p{N}"));
        name(named, List.of("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "granite-embed-multi-97m", "o200k_base"), GPT4O);
        name(named, List.of("tiny_aya", "cohere2moe"), DIGIT_TRIPLES, GPT4O);
        name(named, List.of("superbpe"), DIGIT_TRIPLES);
        name(named, List.of("tekken"), TEKKEN);
        name(named, List.of("kimi-k2"), KIMI);
        name(named, List.of("poro-chat", "bloom", "gpt3-finnish"), BLOOM);
        name(named, List.of("viking"), BLOOM, "\\p{N}");
        name(named, List.of("chameleon"), "<sentinel:[0-9]+>", "IMGIMG[A-I]{1,4}Z", "[\\t\\n]|    |  ", "\\p{N}", "[\\p{P}!-/:-@\\[-`{-~]",
                GPT2);
        return Collections.unmodifiableMap(named);
    }

    private static void name(Map<String, String[]> named, List<String> names, String... expressions) {
        names.forEach(name -> named.put(name, expressions));
    }

    /// The one of this name: a value of `tokenizer.ggml.pre`, or the name of a tiktoken encoding.
    static Optional<PreTokenizer> named(String name) {
        return Optional.ofNullable(NAMED.get(name)).map(PreTokenizer::new);
    }

    /// The names of all.
    static Set<String> names() {
        return NAMED.keySet();
    }

    /// Whether an expression is in use here, and so takes linear time and little stack.
    static boolean isKnown(String expression) {
        return KNOWN.contains(expression);
    }

    /// Whether a known expression matches all of any text, so that what lies between matches is nothing.
    static boolean coversAll(String expression) {
        return Set.of(GPT2, LLAMA3, QWEN2, QWEN35, GPT4O, TEKKEN).contains(expression);
    }

    /// The one of these expressions, each of which is known.
    static PreTokenizer of(List<String> expressions) {
        return new PreTokenizer(expressions.toArray(String[]::new));
    }

    /// Whether the models that use this one keep a word that is a token whole, whatever the merges say.
    static boolean keepsWholeWords(String name) {
        return switch (name) {
            case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
                    "jina-v5-nano", "tekken", "youtu", "minicpm5", "granite-embed-multi-97m" -> true;
            default -> false;
        };
    }

    /// Whether the models that use this one want the beginning-of-text token unless their file says otherwise.
    static boolean wantsBegin(String name) {
        return switch (name) {
            case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2",
                    "jina-v5-nano", "tekken", "chameleon" -> true;
            default -> false;
        };
    }

    /// For files that name none.
    static PreTokenizer fallback() {
        return new PreTokenizer(FALLBACK);
    }

    /// Takes one word at a time.
    interface Words {
        /// The word from `from` to before `to`.
        void accept(int from, int to);
    }

    /// Hands the words of `text` to `words` in order.
    void split(String text, Words words) {
        int[] ends = {text.length()};
        for (Optional<Pattern> step : steps) {
            ends = step.isPresent() ? cut(text, ends, step.get().matcher(text)) : cutDigits(text, ends);
        }
        int from = 0;
        for (int to : ends) {
            words.accept(from, to);
            from = to;
        }
    }

    private static int[] cut(String text, int[] ends, Matcher matcher) {
        IntStream.Builder cuts = IntStream.builder();
        int from = 0;
        for (int to : ends) {
            matcher.region(from, to);
            while (from < to) {
                boolean found = matcher.find();
                int start = found ? matcher.start() : to;
                if (start > from) {
                    cuts.add(start);
                }
                from = found ? matcher.end() : to;
                if (from > start) {
                    cuts.add(from);
                }
            }
        }
        return cuts.build().toArray();
    }

    private static int[] cutDigits(String text, int[] ends) {
        IntStream.Builder cuts = IntStream.builder();
        int at = 0;
        for (int end : ends) {
            while (at < end) {
                int from = at;
                boolean digits = isNumber(text, at);
                int count = 0;
                for (; at < end && isNumber(text, at) == digits; at += Character.charCount(text.codePointAt(at))) {
                    count++;
                }
                if (digits) {
                    for (; count > 0; count = (count - 1) / 3 * 3) {
                        from = text.offsetByCodePoints(from, (count - 1) % 3 + 1);
                        cuts.add(from);
                    }
                } else {
                    cuts.add(at);
                }
            }
        }
        return cuts.build().toArray();
    }

    private static boolean isNumber(String text, int at) {
        return switch (Character.getType(text.codePointAt(at))) {
            case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
            default -> false;
        };
    }
}
