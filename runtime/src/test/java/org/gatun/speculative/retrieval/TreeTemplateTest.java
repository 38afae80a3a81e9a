package org.gatun.speculative.retrieval;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TreeTemplateTest {

    @Test
    void of_allRows_isThePublishedTree() {
        Set<String> paths = paths(TreeTemplate.of(TreeTemplate.NODES));

        TreeMap<Integer, Integer> levels = new TreeMap<>();
        paths.forEach(path -> levels.merge(path.length(), 1, Integer::sum));
        assertEquals(List.of(8, 21, 25, 15, 8, 3), List.copyOf(levels.values()));
        assertTrue(paths.containsAll(List.of("7", "13", "22", "31", "70", "007", "012", "021", "070", "101", "110", "500", "0004", "0011",
                "0040", "0100", "0200", "1000", "3000", "00002", "00010", "00100", "01000", "10000", "000000", "000001", "000100")));
    }

    @Test
    void of_anyRows_isATreeOfRanksFromZero() {
        for (int rows = 2; rows <= TreeTemplate.NODES; rows++) {
            TreeTemplate template = TreeTemplate.of(rows);
            assertEquals(rows, template.size());
            assertEquals(rows - 1, paths(template).size());
            int[] seen = new int[rows];
            for (int node = 1; node < rows; node++) {
                assertTrue(template.parent(node) < node);
                assertEquals(seen[template.parent(node)]++, template.rank(node));
            }
            assertArrayEquals(seen, IntStream.range(0, rows).map(template::children).toArray());
        }
    }

    private static Set<String> paths(TreeTemplate template) {
        String[] paths = new String[template.size()];
        paths[0] = "";
        for (int node = 1; node < paths.length; node++) {
            paths[node] = paths[template.parent(node)] + template.rank(node);
        }
        Set<String> below = new HashSet<>(List.of(paths));
        below.remove("");
        return below;
    }
}
