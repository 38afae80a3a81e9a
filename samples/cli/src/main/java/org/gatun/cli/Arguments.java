package org.gatun.cli;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// The words of the command line. Java reads them in the locale's encoding, and where that is not UTF-8 (`LANG=C`, or a locale that is
/// not installed) each byte of a letter beyond ASCII becomes a replacement character. Where the system still has the bytes, they are
/// read again.
final class Arguments {
    private static final char REPLACEMENT = '\ufffd';
    private static final Path COMMAND_LINE = Path.of("/proc/self/cmdline");

    private Arguments() {}

    /// The arguments of this process.
    ///
    /// @param decoded by Java
    /// @throws IllegalArgumentException if one is no UTF-8
    static String[] ofProcess(String[] decoded, Console console) {
        if (!isBroken(decoded)) {
            return decoded;
        }
        return restore(decoded, commandLine()).orElseGet(() -> {
            console.note("gatun: warning: letters of the arguments were lost, because the locale's encoding is not UTF-8: "
                    + "set LC_ALL=C.UTF-8, or start ./gatun");
            return decoded;
        });
    }

    private static boolean isBroken(String[] decoded) {
        return Arrays.stream(decoded).anyMatch(argument -> argument.indexOf(REPLACEMENT) >= 0);
    }

    private static byte[] commandLine() {
        try {
            return Files.readAllBytes(COMMAND_LINE);
        } catch (IOException _) {
            return new byte[0]; // another system
        }
    }

    /// The arguments out of a command line, each of whose words ends in a zero byte; empty if it is not that of the arguments.
    ///
    /// @throws IllegalArgumentException if one is no UTF-8
    static Optional<String[]> restore(String[] decoded, byte[] commandLine) {
        List<byte[]> words = words(commandLine);
        if (words.size() < decoded.length) {
            return Optional.empty();
        }
        String[] restored = new String[decoded.length];
        for (int i = 0; i < decoded.length; i++) {
            byte[] word = words.get(words.size() - decoded.length + i);
            try {
                restored[i] = Utf8.decode(word, Path.of("argument " + (i + 1)));
            } catch (IOException e) {
                throw new IllegalArgumentException(e.getMessage(), e);
            }
            if (!ascii(restored[i]).equals(ascii(decoded[i]))) {
                return Optional.empty();
            }
        }
        return Optional.of(restored);
    }

    private static List<byte[]> words(byte[] commandLine) {
        List<byte[]> words = new ArrayList<>();
        ByteArrayOutputStream word = new ByteArrayOutputStream();
        for (byte one : commandLine) {
            if (one == 0) {
                words.add(word.toByteArray());
                word.reset();
            } else {
                word.write(one);
            }
        }
        return words;
    }

    private static String ascii(String text) {
        return new String(text.getBytes(StandardCharsets.US_ASCII), StandardCharsets.US_ASCII).replace("?", "");
    }
}
