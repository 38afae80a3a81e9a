package org.gatun.tokenizer;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.text.BreakIterator;
import java.util.Locale;
import java.util.Optional;

/// The `precompiled_charsmap` of sentencepiece: what to write for which characters, normalization rules such as NFKC
/// compiled into one table.
final class CharacterMap {
    /* Layout: uint32 size of the trie in bytes, the trie, then the replacements, each ended by a zero byte. The trie is
     * a double array of uint32 units in the format of darts-clone (Yata, Kanda 2018): bits 0-7 are the label, bit 8
     * says that a value hangs below, bits 10-30 are the offset to the children, shifted by 8 more if bit 9 is set. A
     * unit with bit 31 is a value, here the place of a replacement. All numbers are little endian. */

    /// Bytes that a match or a replacement has at most; in NFKC it is 33.
    private static final int LONGEST = 128;

    private final int[] units;
    private final byte[] replacements;

    /// @throws IllegalArgumentException if `data` is not such a table; the message says why
    CharacterMap(byte[] data) {
        ByteBuffer buffer = ByteBuffer.wrap(data).order(ByteOrder.LITTLE_ENDIAN);
        int trieBytes = data.length < 4 ? -1 : buffer.getInt();
        if (trieBytes < 4 || trieBytes % 4 != 0 || trieBytes > data.length - 4) {
            throw new IllegalArgumentException("character map of " + data.length + " bytes announces a trie of "
                    + trieBytes + " bytes: expected a multiple of 4 that fits");
        }
        units = new int[trieBytes / 4];
        buffer.asIntBuffer().get(units);
        replacements = new byte[data.length - 4 - trieBytes];
        buffer.get(4 + trieBytes, replacements);
        if (replacements.length == 0 || replacements[replacements.length - 1] != 0) {
            throw new IllegalArgumentException("character map does not end with a zero byte");
        }
        for (int i = 0; i < units.length; i++) {
            int target = units[i] < 0 ? units[i] & 0x7FFFFFFF : (i ^ offset(units[i])) | 0xFF;
            if (target < 0 || target >= (units[i] < 0 ? replacements.length : units.length)
                    || units[i] < 0 && (replacements[target] & 0xC0) == 0x80) {
                throw new IllegalArgumentException("character map points out of itself in unit " + i);
            }
        }
    }

    /// The text with every longest match replaced.
    String apply(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream result = new ByteArrayOutputStream(bytes.length);
        for (int at = 0; at < bytes.length;) {
            Match match = match(bytes, at, Math.min(bytes.length, at + LONGEST), true);
            if (match.length > 0) {
                result.write(replacements, match.from, match.to - match.from);
                at += match.length;
            } else {
                do {
                    result.write(bytes[at++]);
                } while (at < bytes.length && (bytes[at] & 0xC0) == 0x80);
            }
        }
        return result.toString(StandardCharsets.UTF_8);
    }

    /// The text replaced as the Hugging Face library does it, which models were trained with: a user-perceived
    /// character of less than six bytes that begins with a match becomes what the shortest one stands for, with all
    /// that it has besides; otherwise that goes for each code point.
    String applyByGraphemes(String text) {
        StringBuilder result = new StringBuilder(text.length());
        BreakIterator graphemes = BreakIterator.getCharacterInstance(Locale.ROOT);
        graphemes.setText(text);
        for (int from = 0, to = graphemes.next(); to != BreakIterator.DONE; from = to, to = graphemes.next()) {
            String grapheme = text.substring(from, to);
            Optional<String> replaced = grapheme.length() < 6 ? replacement(grapheme, 5) : Optional.empty();
            if (replaced.isPresent()) {
                result.append(replaced.get());
                continue;
            }
            for (int at = from, end; at < to; at = end) {
                end = at + Character.charCount(text.codePointAt(at));
                String character = text.substring(at, end);
                result.append(replacement(character, 4).orElse(character));
            }
        }
        return result.toString();
    }

    /// What the shortest match at the beginning of `characters` stands for, if there is one and they have no more
    /// than `max` bytes.
    private Optional<String> replacement(String characters, int max) {
        byte[] bytes = characters.getBytes(StandardCharsets.UTF_8);
        Match match = bytes.length > max ? Match.NONE : match(bytes, 0, bytes.length, false);
        return match.length == 0 ? Optional.empty()
                : Optional.of(new String(replacements, match.from, match.to - match.from, StandardCharsets.UTF_8));
    }

    /// A match, and its replacement in [#replacements].
    ///
    /// @param length of the match in bytes, 0 if there is none
    private record Match(int length, int from, int to) {
        static final Match NONE = new Match(0, 0, 0);
    }

    private Match match(byte[] bytes, int at, int end, boolean longest) {
        int length = 0;
        int replacement = -1;
        int node = offset(unit(0));
        for (int i = at; i < end && bytes[i] != 0; i++) {
            int label = bytes[i] & 0xFF;
            node ^= label;
            int unit = unit(node);
            if ((unit & 0x800000FF) != label) {
                break;
            }
            node ^= offset(unit);
            if ((unit & 0x100) != 0) {
                length = i + 1 - at;
                replacement = unit(node) & 0x7FFFFFFF;
                if (!longest) {
                    break;
                }
            }
        }
        if (length == 0 || replacement >= replacements.length) {
            return Match.NONE;
        }
        int to = replacement;
        while (replacements[to] != 0 && to - replacement < LONGEST) {
            to++;
        }
        return new Match(length, replacement, to);
    }

    /// Damaged tables may point anywhere; beyond the end nothing matches.
    private int unit(int index) {
        return index >= 0 && index < units.length ? units[index] : 0x80000000;
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 0x200) >>> 6);
    }
}
