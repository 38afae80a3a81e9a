package org.gatun.template;

import java.util.Locale;

/// How Python changes the case of texts, and asks for it.
final class Casing {
    private static final String WITHIN_WORDS = "':.\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a";

    private Casing() {}

    private static String upper(int c) {
        return Character.toString(c).toUpperCase(Locale.ROOT);
    }

    private static String lower(int c) {
        return Character.toString(c).toLowerCase(Locale.ROOT);
    }

    private static boolean isCased(int c) {
        return isUpper(c) || Character.isLowerCase(c);
    }

    private static boolean isUpper(int c) {
        return Character.isUpperCase(c) || Character.isTitleCase(c);
    }

    static boolean isLower(String text) {
        return text.codePoints().anyMatch(Casing::isCased) && text.codePoints().noneMatch(Casing::isUpper);
    }

    static boolean isUpper(String text) {
        return text.codePoints().anyMatch(Casing::isCased)
                && text.codePoints().noneMatch(c -> Character.isLowerCase(c) || Character.isTitleCase(c));
    }

    static boolean isTitle(String text) {
        boolean hasCase = false;
        boolean isInWord = false;
        for (int c : text.codePoints().toArray()) {
            if (isCased(c) && isUpper(c) == isInWord) {
                return false;
            }
            isInWord = isCased(c);
            hasCase |= isInWord;
        }
        return hasCase;
    }

    static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }

    static String lower(String text) {
        if (text.indexOf('Σ') < 0) {
            return text.toLowerCase(Locale.ROOT);
        }
        StringBuilder lower = new StringBuilder();
        for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            lower.append(c == 'Σ' && endsWord(text, i) ? "ς" : lower(c));
        }
        return lower.toString();
    }

    /// Whether a letter with cases stands before a character, and none behind it. Java asks the same of words, which it finds in
    /// its own way.
    private static boolean endsWord(String text, int index) {
        int before = index;
        while (before > 0 && isNoMatterForCase(text.codePointBefore(before))) {
            before -= Character.charCount(text.codePointBefore(before));
        }
        int after = index + 1;
        while (after < text.length() && isNoMatterForCase(text.codePointAt(after))) {
            after += Character.charCount(text.codePointAt(after));
        }
        return before > 0 && isCased(text.codePointBefore(before)) && (after == text.length() || !isCased(text.codePointAt(after)));
    }

    /// Marks that stand within words.
    private static boolean isNoMatterForCase(int c) {
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK, Character.ENCLOSING_MARK, Character.FORMAT, Character.MODIFIER_LETTER,
                    Character.MODIFIER_SYMBOL -> true;
            default -> WITHIN_WORDS.indexOf(c) >= 0;
        };
    }

    static String capitalize(String text) {
        return text.isEmpty() ? text : title(text.codePointAt(0)) + lower(text).substring(lower(text.codePointAt(0)).length());
    }

    static String title(String text) {
        return changed(text, (c, lower, isInWord) -> isInWord ? lower : title(c));
    }

    static String swap(String text) {
        return changed(text, (c, lower, _) -> Character.isUpperCase(c) ? lower : Character.isLowerCase(c) ? upper(c) : Character.toString(c));
    }

    /// What a character becomes.
    private interface Change {
        /// @param lower itself in small letters, which depends on where it stands if it is a sigma
        /// @param isInWord whether a letter that has cases stands before it
        String apply(int c, String lower, boolean isInWord);
    }

    private static String changed(String text, Change change) {
        String lower = lower(text);
        StringBuilder changed = new StringBuilder();
        boolean isInWord = false;
        int lowerAt = 0;
        for (int i = 0, c; i < text.length(); i += Character.charCount(c)) {
            c = text.codePointAt(i);
            int lowerEnd = lowerAt + lower(c).length();
            changed.append(change.apply(c, lower.substring(lowerAt, lowerEnd), isInWord));
            lowerAt = lowerEnd;
            isInWord = isCased(c);
        }
        return changed.toString();
    }

    /// A character at the beginning of a word: in most scripts as at other places, but `ǆ` is `ǅ`, `ß` is `Ss` and `ŉ` is `ʼN`.
    private static String title(int c) {
        String upper = upper(c);
        int single = Character.toTitleCase(c);
        if (single != c || Character.isTitleCase(c) || upper.codePointCount(0, upper.length()) == 1) {
            return Character.toString(single);
        }
        int first = 0;
        while (first < upper.length() - 1 && !isCased(upper.charAt(first))) {
            first++;
        }
        /* An iota that was below a letter stays there. */
        return upper.substring(0, first + 1) + lower(upper.substring(first + 1).replace('\u0399', '\u0345'));
    }

    /// The text as it is compared where case does not count.
    static String fold(String text) {
        StringBuilder folded = new StringBuilder();
        text.codePoints().forEach(c -> folded.append(fold(c)));
        return folded.toString();
    }

    private static String fold(int c) {
        if (c == 'ı') {
            return "ı";
        }
        /* Cherokee had no small letters at first. */
        return Character.UnicodeScript.of(c) == Character.UnicodeScript.CHEROKEE ? upper(c) : lower(upper(lower(c)));
    }
}
