package org.gatun.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.gatun.tensor.DType;
import org.junit.jupiter.api.Test;

class NativeLayoutTest {
    private static final Path HEADER = Path.of("../native/gatun.h");

    /// What the kernels call their types, in the order of their numbers.
    private static List<String> typesOfTheHeader() throws IOException {
        Matcher types = Pattern.compile("enum gatun_type \\{([^}]*)\\}").matcher(Files.readString(HEADER));
        types.find();
        return Arrays.stream(types.group(1).split(",")).map(String::strip).toList();
    }

    @Test
    void type_everyDType_isTheNumberThatTheHeaderHasUnderItsName() throws IOException {
        List<String> header = typesOfTheHeader();
        List<String> found = new ArrayList<>();
        for (DType dtype : DType.all()) {
            if (header.contains("GATUN_" + dtype)) {
                assertEquals("GATUN_" + dtype, header.get(NativeLayout.type(dtype)));
                found.add("GATUN_" + dtype);
            } else if (dtype == DType.NVFP4) {
                assertEquals("GATUN_BF16", header.get(NativeLayout.type(dtype)), "what weights make of it");
            } else {
                assertThrows(IllegalArgumentException.class, () -> NativeLayout.type(dtype), dtype.toString());
            }
        }

        assertEquals(header.size() - 1, found.size(), "the last entry of " + header + " is their number");
    }
}
