package org.gatun.constraint;

import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.IntStream;

/// The properties that `\p{...}` names in ECMA-262: general categories, scripts, and binary properties as far as Java knows them by that name.
final class UnicodeProperties {
    private static final Set<String> BINARY = Set.of("Alphabetic", "Lowercase", "Uppercase", "White_Space", "Ideographic", "Hex_Digit", "Join_Control",
            "Noncharacter_Code_Point", "Assigned", "Emoji", "Emoji_Presentation", "Emoji_Modifier", "Emoji_Modifier_Base", "Emoji_Component",
            "Extended_Pictographic");
    private static final Map<String, String> SHORT_NAMES = Map.of("Alpha", "Alphabetic", "Lower", "Lowercase", "Upper", "Uppercase", "space", "White_Space",
            "Ideo", "Ideographic", "Hex", "Hex_Digit", "Join_C", "Join_Control", "NChar", "Noncharacter_Code_Point");
    private static final Set<String> CATEGORIES = Set.of("L", "LC", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd",
            "Ps", "Pe", "Pi", "Pf", "Po", "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Cs", "Co", "Cn");
    private static final Map<String, String> LONG_CATEGORIES = Map.ofEntries(Map.entry("Letter", "L"), Map.entry("Cased_Letter", "LC"),
            Map.entry("Uppercase_Letter", "Lu"), Map.entry("Lowercase_Letter", "Ll"), Map.entry("Titlecase_Letter", "Lt"), Map.entry("Modifier_Letter", "Lm"),
            Map.entry("Other_Letter", "Lo"), Map.entry("Mark", "M"), Map.entry("Combining_Mark", "M"), Map.entry("Nonspacing_Mark", "Mn"),
            Map.entry("Spacing_Mark", "Mc"), Map.entry("Enclosing_Mark", "Me"), Map.entry("Number", "N"), Map.entry("Decimal_Number", "Nd"),
            Map.entry("digit", "Nd"), Map.entry("Letter_Number", "Nl"), Map.entry("Other_Number", "No"), Map.entry("Punctuation", "P"), Map.entry("punct", "P"),
            Map.entry("Connector_Punctuation", "Pc"), Map.entry("Dash_Punctuation", "Pd"), Map.entry("Open_Punctuation", "Ps"),
            Map.entry("Close_Punctuation", "Pe"), Map.entry("Initial_Punctuation", "Pi"), Map.entry("Final_Punctuation", "Pf"),
            Map.entry("Other_Punctuation", "Po"), Map.entry("Symbol", "S"), Map.entry("Math_Symbol", "Sm"), Map.entry("Currency_Symbol", "Sc"),
            Map.entry("Modifier_Symbol", "Sk"), Map.entry("Other_Symbol", "So"), Map.entry("Separator", "Z"), Map.entry("Space_Separator", "Zs"),
            Map.entry("Line_Separator", "Zl"), Map.entry("Paragraph_Separator", "Zp"), Map.entry("Other", "C"), Map.entry("Control", "Cc"),
            Map.entry("cntrl", "Cc"), Map.entry("Format", "Cf"), Map.entry("Surrogate", "Cs"), Map.entry("Private_Use", "Co"), Map.entry("Unassigned", "Cn"));

    private UnicodeProperties() {}

    /// Code points with a property; empty if there is none of that name here.
    static Optional<CodePoints> of(String name) {
        String category = name.replaceFirst("^(General_Category|gc)=", "");
        String script = name.replaceFirst("^(Script|sc)=", "");
        String binary = SHORT_NAMES.getOrDefault(name, name);
        if (name.equals("Any")) {
            return Optional.of(CodePoints.ALL);
        }
        if (name.equals("ASCII")) {
            return Optional.of(CodePoints.of(0, 0x7F));
        }
        if (CATEGORIES.contains(category) || LONG_CATEGORIES.containsKey(category)) {
            return javas(LONG_CATEGORIES.getOrDefault(category, category));
        }
        return !script.equals(name) ? javas("script=" + script) : BINARY.contains(binary) ? javas("Is" + binary) : Optional.empty();
    }

    private static Optional<CodePoints> javas(String name) {
        try {
            return Optional.of(CodePoints.of(Pattern.compile("\\p{" + name + "}+").matcher(everyCharacter()).results()
                    .flatMapToInt(run -> IntStream.of(run.group().codePointAt(0), run.group().codePointBefore(run.group().length()))).toArray()));
        } catch (PatternSyntaxException _) {
            return Optional.empty();
        }
    }

    private static String everyCharacter() {
        return IntStream.rangeClosed(0, Character.MAX_CODE_POINT).filter(each -> each < Character.MIN_SURROGATE || each > Character.MAX_SURROGATE)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append).toString();
    }
}
