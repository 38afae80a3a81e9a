package org.gatun.cli;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.gatun.format.FormatException;

/// Texts that people hand over. What is no UTF-8 is refused: read with replacement characters it would be another text.
final class Utf8 {
    private static final String BYTE_ORDER_MARK = "\ufeff";

    private Utf8() {}

    /// The text, without a byte order mark.
    ///
    /// @param from where the bytes come from, for the message
    /// @throws FormatException if they are no UTF-8
    static String decode(byte[] bytes, Path from) throws FormatException {
        CharsetDecoder decoder = StandardCharsets.UTF_8.newDecoder().onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        ByteBuffer source = ByteBuffer.wrap(bytes);
        CharBuffer text = CharBuffer.allocate(bytes.length); // a char takes a byte at least
        CoderResult result = decoder.decode(source, text, true);
        if (result.isError()) {
            throw new FormatException(from, source.position(), "found 0x%02x, which is no UTF-8 there: expected a text in UTF-8 "
                    .formatted(bytes[source.position()] & 0xff) + "(iconv converts others)");
        }
        String decoded = text.flip().toString();
        return decoded.startsWith(BYTE_ORDER_MARK) ? decoded.substring(1) : decoded;
    }
}
