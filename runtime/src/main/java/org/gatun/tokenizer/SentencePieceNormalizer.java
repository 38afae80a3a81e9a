package org.gatun.tokenizer;

import java.util.Optional;

/// What sentencepiece does to text before it cuts it.
///
/// @param characters replacements of characters, if the model has any
/// @param addSpace put a space before the text
/// @param collapseSpaces drop spaces at both ends, and all but one of several
record SentencePieceNormalizer(Optional<CharacterMap> characters, boolean addSpace, boolean collapseSpaces) {

    /// The text to cut, its spaces written [Vocabulary#SPACE]; empty if nothing is left.
    String apply(String text) {
        String mapped = characters.map(map -> map.apply(text)).orElse(text);
        StringBuilder result = new StringBuilder(mapped.length() + 1);
        boolean space = addSpace;
        for (int i = 0; i < mapped.length(); i++) {
            char c = mapped.charAt(i);
            if (c == ' ' && collapseSpaces) {
                space |= !result.isEmpty();
            } else {
                if (space) {
                    result.append(Vocabulary.SPACE);
                    space = false;
                }
                result.append(c == ' ' ? Vocabulary.SPACE : c);
            }
        }
        return result.toString();
    }
}
