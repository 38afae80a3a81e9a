package org.gatun.template;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.template.Value.Dict;
import org.gatun.template.Value.Int;
import org.gatun.template.Value.None;
import org.gatun.template.Value.Text;
import org.gatun.template.Value.Undefined;
import org.gatun.template.Value.View;
import org.gatun.template.Value.ViewKind;

/// The filters for web pages: `striptags`, `urlencode`, `urlize`, `xmlattr`, and what HTML's entities mean.
final class WebFilters {
    /// Parts of a pattern that are repeated keep what they took: after any of them comes what they cannot take, so nothing
    /// is lost, and the time does not grow with the square of a word's length.
    private static final Pattern ADDRESS = pattern("(?:"
            + "(?:https?://|www\\.)(?:[W%-]++\\.)*+(?:[a-z]{2,63}|xn--[W%]{2,59})"
            + "|(?:[W%-]{2,63}+\\.)++(?:com|net|int|edu|gov|org|info|mil)"
            + "|https?://(?:D{1,3}(?:\\.D{1,3}){3}|\\[(?:[Da-f]{0,4}:){2}(?:[Da-f]{0,4}:?){1,6}])"
            + ")(?::D{1,5})?(?:[/?#].*)?", Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE | Pattern.DOTALL);
    private static final Pattern MAIL = pattern(".+@[W][W.-]*\\.[W]+", Pattern.DOTALL);
    private static final Pattern SCHEME = pattern("[W.+-]{2,}:/{0,2}", 0);
    private static final List<String> MARKS = List.of(")", ">", ".", ",", "&gt;");
    private static final Map<String, String> BRACKETS = new LinkedHashMap<>();

    static {
        BRACKETS.put("(", ")");
        BRACKETS.put("<", ">");
        BRACKETS.put("&lt;", "&gt;");
    }

    private static final Pattern ENTITY = Pattern.compile("&(?:#([0-9]+);?|#[xX]([0-9a-fA-F]+);?|([^\\t\\n\\f <&#;]{1,32};?))");
    private static final Pattern NAMED = Pattern.compile("[a-zA-Z][a-zA-Z0-9]*;");
    private static final Map<String, String> ENTITIES = entities();
    private static final Charset CONTROLS = Charset.forName("windows-1252"); // what HTML takes 128 to 159 for

    private final Operators operators;
    private final Budget budget;

    WebFilters(Operators operators) {
        this.operators = operators;
        budget = operators.budget();
    }

    /// @param pattern with `W` for what words are made of, and `D` for a digit
    private static Pattern pattern(String pattern, int flags) {
        return Pattern.compile(pattern.replace("W", Characters.WORD).replace("D", "\\p{Nd}"), flags);
    }

    /// The entities that need no semicolon, and the one more that XML has.
    private static Map<String, String> entities() {
        Map<String, String> entities = new HashMap<>(Map.of("amp", "&", "lt", "<", "gt", ">", "quot", "\"", "apos;", "'"));
        entities.putAll(Map.of("AMP", "&", "LT", "<", "GT", ">", "QUOT", "\"", "COPY", "©", "REG", "®"));
        String[] latin = """
                nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para \
                middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute \
                Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml \
                Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml \
                eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml""".split(" ");
        for (int i = 0; i < latin.length; i++) {
            entities.put(latin[i], Character.toString(0xa0 + i));
        }
        return Map.copyOf(entities);
    }

    // Out of HTML

    /// The text without tags and comments, with one blank for each white space, and with what entities mean.
    Text stripTags(Text value) {
        String markup = value.value();
        budget.text(4L * markup.length());
        StringBuilder text = new StringBuilder(markup);
        int start = 0;
        int end = 0;
        /* What is before a comment and behind it may make the beginning of another one. */
        while ((start = text.indexOf("<!--", Math.max(0, start - 3))) >= 0 && (end = text.indexOf("-->", start)) >= 0) {
            budget.work(1 + (text.length() - start) / 256);
            text.delete(start, end + 3);
        }
        return new Text(unescape(String.join(" ", words(withoutTags(text.toString())))));
    }

    private static String withoutTags(String text) {
        StringBuilder kept = new StringBuilder();
        int at = 0;
        int start = 0;
        int end = 0;
        while ((start = text.indexOf('<', at)) >= 0 && (end = text.indexOf('>', start)) >= 0) {
            kept.append(text, at, start);
            at = end + 1;
        }
        return kept.append(text, at, text.length()).toString();
    }

    private List<String> words(String text) {
        List<String> words = new ArrayList<>();
        int from = 0;
        for (int i = 0; i <= text.length(); i++) {
            if (i == text.length() || Characters.isSpace(text.charAt(i))) {
                if (i > from) {
                    budget.text(i - from);
                    words.add(text.substring(from, i));
                }
                from = i + 1;
            }
        }
        return words;
    }

    /// The text with what entities mean.
    String unescape(String text) {
        budget.text(2L * text.length());
        return ENTITY.matcher(text).replaceAll(entity -> {
            budget.work(8);
            return Matcher.quoteReplacement(entity.group(3) != null ? named(entity.group(3))
                    : numbered(entity.group(1) != null ? entity.group(1) : entity.group(2), entity.group(1) != null ? 10 : 16));
        });
    }

    private static String numbered(String digits, int radix) {
        long code = 0;
        for (int i = 0; i < digits.length() && code <= Character.MAX_CODE_POINT; i++) {
            code = code * radix + Character.digit(digits.charAt(i), radix);
        }
        if (code == 0 || code > Character.MAX_CODE_POINT || code >= Character.MIN_SURROGATE && code <= Character.MAX_SURROGATE) {
            return "\ufffd";
        }
        if (code >= 0x80 && code <= 0x9f) {
            String read = new String(new byte[] {(byte) code}, CONTROLS);
            return read.equals("\ufffd") ? Character.toString((int) code) : read;
        }
        boolean isControl = code < ' ' && "\t\n\f\r".indexOf((int) code) < 0 || code == 0x7f;
        boolean isNoCharacter = code >= 0xfdd0 && code <= 0xfdef || (code & 0xfffe) == 0xfffe;
        return isControl || isNoCharacter ? "" : Character.toString((int) code);
    }

    private static String named(String name) {
        if (NAMED.matcher(name).matches() && meaning(name) == null) {
            throw new Refusal("the entity &" + name + " is not supported");
        }
        for (int length = name.length(); length > 1; length--) {
            String meaning = meaning(name.substring(0, length));
            if (meaning != null) {
                return meaning + name.substring(length);
            }
        }
        return "&" + name;
    }

    /// Null if there is none.
    private static String meaning(String name) {
        String known = ENTITIES.get(name);
        return known == null && name.endsWith(";") ? ENTITIES.get(name.substring(0, name.length() - 1)) : known;
    }

    // Into HTML

    Text xmlAttributes(Value value, Arguments arguments) {
        Value apart = arguments.bind(0, "autospace")[0];
        Operators.demandDefined(value);
        if (!(value instanceof Dict dict)) {
            throw new Refusal("xmlattr of " + Operators.type(value) + ": expected a map");
        }
        StringBuilder text = new StringBuilder();
        for (Dict.Entry entry : dict.entries().values()) {
            if (entry.value() == None.NONE || entry.value() instanceof Undefined) {
                continue;
            }
            String key = operators.string(entry.key(), "xmlattr: a name");
            if (key.codePoints().anyMatch(c -> Characters.isSpace(c) || "/>=".indexOf(c) >= 0)) {
                throw new Refusal("xmlattr: " + operators.printer().quoted(key) + " is no name of an attribute");
            }
            boolean isFirst = text.isEmpty();
            text.append(isFirst && apart != null && !Operators.isTrue(apart) ? "" : " ").append(operators.escaped(entry.key()).value())
                    .append("=\"").append(operators.escaped(entry.value()).value()).append('"');
            budget.work(8);
        }
        budget.text(2L * text.length());
        return new Text(text.toString());
    }

    /// How addresses become links.
    ///
    /// @param limit how many characters of an address are shown, none for all
    /// @param attributes of each link
    /// @param schemes what addresses begin with beside the usual
    private record Links(Value limit, String attributes, List<String> schemes) {}

    Text urlize(Value value, Arguments arguments) {
        Value[] bound = arguments.bind(0, "trim_url_limit", "nofollow", "target", "rel", "extra_schemes");
        SortedSet<String> relations = new TreeSet<>(List.of("noopener"));
        if (isTrue(bound[3])) {
            relations.addAll(words(operators.string(bound[3], "urlize: rel")));
        }
        if (isTrue(bound[1])) {
            relations.add("nofollow");
        }
        String attributes = " rel=\"" + operators.escape(String.join(" ", relations)) + "\""
                + (isTrue(bound[2]) ? " target=\"" + operators.escaped(bound[2]).value() + "\"" : "");
        List<String> schemes = new ArrayList<>();
        for (Value scheme : isTrue(bound[4]) ? operators.elements(bound[4]) : List.<Value>of()) {
            schemes.add(operators.string(scheme, "urlize: a scheme"));
            if (!SCHEME.matcher(schemes.getLast()).matches()) {
                throw new Refusal("urlize: " + operators.printer().quoted(schemes.getLast()) + " is no scheme, such as tel: or ftp://");
            }
        }
        Value limit = bound[0] == null || bound[0] == None.NONE ? None.NONE : new Int(operators.clamped(bound[0], "urlize: the limit"));
        Links links = new Links(limit, attributes, schemes);
        String text = operators.escaped(value).value();
        StringBuilder linked = new StringBuilder();
        for (int from = 0, at = 0; at <= text.length(); at++) {
            if (at == text.length() || Characters.isSpace(text.charAt(at))) {
                String word = linked(text.substring(from, at), links);
                budget.bytes(8L * word.length());
                linked.append(word).append(text, at, Math.min(at + 1, text.length()));
                from = at + 1;
            }
        }
        budget.text(linked.length());
        return new Text(linked.toString());
    }

    private static boolean isTrue(Value value) {
        return value != null && Operators.isTrue(value);
    }

    /// A word, with what is an address in it as a link. Brackets and marks around it are left out, but for brackets that
    /// were opened within.
    private String linked(String word, Links links) {
        int from = 0;
        for (int length = 1; length > 0; from += length) {
            length = word.startsWith("&lt;", from) ? 4 : word.startsWith("(", from) || word.startsWith("<", from) ? 1 : 0;
        }
        int to = word.length();
        for (int length = 1; length > 0; to -= length) {
            length = 0;
            for (String mark : MARKS) {
                length = to - mark.length() >= from && word.startsWith(mark, to - mark.length()) ? mark.length() : length;
            }
        }
        for (var pair : BRACKETS.entrySet()) {
            int opened = count(word.substring(from, to), pair.getKey());
            if (opened > count(word.substring(from, to), pair.getValue())) {
                for (int i = Math.min(opened, count(word.substring(to), pair.getValue())); i > 0; i--) {
                    to = word.indexOf(pair.getValue(), to) + pair.getValue().length();
                }
            }
        }
        return word.substring(0, from) + link(word.substring(from, to), links) + word.substring(to);
    }

    private static int count(String text, String part) {
        int count = 0;
        for (int at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length())) {
            count++;
        }
        return count;
    }

    private String link(String word, Links links) {
        budget.work(1 + word.length());
        if (ADDRESS.matcher(word).matches()) {
            boolean isWhole = word.startsWith("https://") || word.startsWith("http://");
            return "<a href=\"" + (isWhole ? "" : "https://") + word + "\"" + links.attributes() + ">" + shown(word, links.limit()) + "</a>";
        }
        if (word.startsWith("mailto:") && MAIL.matcher(word.substring(7)).matches()) {
            return "<a href=\"" + word + "\">" + word.substring(7) + "</a>";
        }
        boolean mayBeMail = word.indexOf('@') > 0 && word.indexOf(':') < 0 && !word.startsWith("www.");
        if (mayBeMail && MAIL.matcher(word).matches()) {
            return "<a href=\"mailto:" + word + "\">" + word + "</a>";
        }
        String linked = word;
        for (String scheme : links.schemes()) {
            if (linked.length() > scheme.length() && linked.startsWith(scheme)) {
                linked = "<a href=\"" + linked + "\"" + links.attributes() + ">" + linked + "</a>";
            }
        }
        return linked;
    }

    private String shown(String address, Value limit) {
        Text text = new Text(address);
        return limit instanceof Int max && operators.length(text) > max.value().longValue()
                ? ((Text) operators.slice(text, None.NONE, max, None.NONE)).value() + "..." : address;
    }

    /// Pairs as a query, or a text as part of a path.
    Text urlEncode(Value value, Arguments arguments) {
        arguments.bind(0);
        if (value instanceof Text || !operators.isIterable(value)) {
            return new Text(quoted(operators.str(value).value(), false));
        }
        StringBuilder query = new StringBuilder();
        Value pairs = value instanceof Dict dict ? new View(ViewKind.ITEMS, dict) : value;
        for (Value pair : operators.elements(pairs)) {
            List<Value> both = operators.elements(pair);
            if (both.size() != 2) {
                throw new Refusal("urlencode: expected pairs");
            }
            query.append(query.isEmpty() ? "" : "&").append(quoted(operators.str(both.get(0)).value(), true)).append('=')
                    .append(quoted(operators.str(both.get(1)).value(), true));
        }
        budget.text(query.length());
        return new Text(query.toString());
    }

    private String quoted(String text, boolean isQuery) {
        budget.text(6L * text.length());
        StringBuilder quoted = new StringBuilder();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            boolean isLetter = b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9';
            if (isLetter || "_.-~".indexOf(b) >= 0 || !isQuery && b == '/') {
                quoted.append((char) b);
            } else {
                quoted.append(isQuery && b == ' ' ? "+" : "%%%02X".formatted(b));
            }
        }
        return quoted.toString();
    }
}
