package org.gatun.speculative.adaptive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.gatun.backend.Backend;
import org.gatun.backend.Backends;
import org.gatun.model.Model;
import org.gatun.model.ModelOptions;
import org.gatun.model.RandomModel;
import org.gatun.model.Session;
import org.gatun.sampling.Sampling;
import org.gatun.speculative.SpeculationStatistics;
import org.gatun.speculative.SpeculationStatistics.Depth;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CostModelTest {
    private static final CostModel COSTS = costs(Map.of(1, 100.0, 2, 110.0, 4, 130.0, 8, 170.0));

    @TempDir
    Path directory;

    private static CostModel costs(Map<Integer, Double> nanosByRows) {
        return new CostModel(new TreeMap<>(nanosByRows));
    }

    @ParameterizedTest
    @CsvSource({"1, 100", "2, 110", "3, 120", "3.5, 125", "6, 150", "8, 170", "16, 250"})
    void passNanos_anyRows_liesOnStraightLines(double rows, double nanos) {
        assertEquals(nanos, COSTS.passNanos(rows), 1e-9);
    }

    @Test
    void passNanos_oneCost_isTheSameForAllRows() {
        assertEquals(7, costs(Map.of(1, 7.0)).passNanos(5));
    }

    @Test
    void speedup_givenNumbers_isTokensOverTime() {
        assertEquals(1, COSTS.speedup(1, 1, 0, 20), 1e-12, "plain decoding against itself");
        assertEquals(3.362 * 100 / (40 + 140), COSTS.speedup(3.362, 5, 40, 0), 1e-12);
        assertEquals(2.0 * 120 / (30 + 130 + 40), COSTS.speedup(2, 4, 30, 20), 1e-12);
        SpeculationStatistics statistics = new SpeculationStatistics(20, 10, 30, List.of(new Depth(10, 10)), 300, 1300, 0);
        assertEquals(2.0 * 120 / (30 + 130 + 40), COSTS.speedup(statistics, 20), 1e-12, "the same from counts");
    }

    @Test
    void scaledTo_anotherTime_keepsRelations() {
        assertEquals(costs(Map.of(1, 50.0, 2, 55.0, 4, 65.0, 8, 85.0)), COSTS.scaledTo(50));
    }

    @Test
    void medians_threeMeasurements_areTheMiddleOnes() {
        assertEquals(costs(Map.of(1, 2.0, 2, 5.0)), CostModel.medians(List.of(costs(Map.of(1, 1.0, 2, 9.0)),
                costs(Map.of(1, 2.0, 2, 5.0)), costs(Map.of(1, 30.0, 2, 4.0)))));
    }

    @Test
    void costModel_badCosts_areRefused() {
        assertThrows(IllegalArgumentException.class, () -> costs(Map.of()));
        assertThrows(IllegalArgumentException.class, () -> costs(Map.of(2, 1.0)));
        assertThrows(IllegalArgumentException.class, () -> costs(Map.of(1, 0.0)));
    }

    @Test
    void measure_sessionWithText_leavesItsText() throws IOException {
        try (Backend backend = Backends.open("reference");
                Model model = Model.load(RandomModel.tiny(1).write(directory.resolve("tiny.gguf")), backend, ModelOptions.STANDARD);
                Session session = model.openSession()) {
            int[] text = {3, 4, 5, 6};
            session.prefill(text, 0, 3);
            int expected = session.decode(6, Sampling.GREEDY).token(0);
            session.rewind(3);

            CostModel costs = CostModel.measure(session, Sampling.GREEDY);

            assertEquals(Set.of(1, 2, 4, 8, 16, 32, 64), costs.nanosByRows().keySet());
            assertTrue(costs.passNanos(64) > costs.passNanos(1), costs.toString());
            assertEquals(3, session.length());
            assertEquals(3, session.commonPrefix(text, 4));
            assertEquals(expected, session.decode(6, Sampling.GREEDY).token(0));
        }
    }

    @Test
    void statistics_together_addUpByDepth() {
        SpeculationStatistics chain = new SpeculationStatistics(5, 2, 6, List.of(new Depth(2, 2), new Depth(2, 1)), 10, 20, 5);
        SpeculationStatistics both = chain.plus(new SpeculationStatistics(1, 1, 1, List.of(new Depth(1, 0)), 1, 2, 1));

        assertEquals(new SpeculationStatistics(6, 3, 7, List.of(new Depth(3, 2), new Depth(2, 1)), 11, 22, 6), both);
        assertEquals(3, both.accepted());
        assertArrayEquals(new double[] {2 / 3.0, 0.5}, both.depths().stream().mapToDouble(Depth::rate).toArray(), 1e-12);
        assertEquals(1 + 7 / 3.0, both.meanRows(), 1e-12);
        assertEquals(2, both.meanAcceptedLength(), 1e-12);
    }
}
