package org.gatun.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PtxVersionTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', value = {
        "// of attention.cu; .version 7.4 | 11020 | ''",
        ".version 7.4 | 11020 | PTX 7.4 needs a driver of CUDA 11.4, 470 or later, found one of CUDA 11.2: install a newer driver",
        ".version 7.8 | 11040 | PTX 7.8 needs a driver of CUDA 11.8, 520 or later, found one of CUDA 11.4: install a newer driver",
        ".version 8.5 | 12040 | PTX 8.5 needs a driver of CUDA 12.5, 555 or later, found one of CUDA 12.4: install a newer driver",
        ".version 9.0 | 12090 | PTX 9.0 needs a driver of CUDA 13.0, 580 or later, found one of CUDA 12.9: install a newer driver",
        ".version 9.9 | 13000 | PTX 9.9 needs a newer driver, found one of CUDA 13.0: install a newer driver"
    })
    void requirement_versionOfTheText_namesTheDriverThatKnowsIt(String directive, int driver, String expected) {
        assertEquals(expected, PtxVersion.requirement("// Compiled from norm.cu\n" + directive + "\n.target sm_80\n", driver));
    }
}
