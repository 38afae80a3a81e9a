package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostMemoryTest {
    private static final long GIB = 1L << 30;

    @TempDir
    Path root;

    private void write(String file, String text) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private void machine() throws IOException {
        write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\nSwapTotal:       1048576 kB\n");
    }

    @Test
    void read_machineWithoutContainer_isThatOfMeminfo() throws IOException {
        assertTrue(HostMemory.read(root).isEmpty(), "another system");
        machine();
        write("proc/self/cgroup", "0::/user.slice\n");
        write("sys/fs/cgroup/user.slice/memory.max", "max\n");

        assertEquals(Optional.of(new HostMemory(16 * GIB, GIB, 8 * GIB, "this machine")), HostMemory.read(root));
    }

    @Test
    void read_groupsOfVersion2_areBoundByTheSmallestAround() throws IOException {
        machine();
        write("proc/self/cgroup", "0::/pod/container\n");
        write("sys/fs/cgroup/pod/memory.max", "" + 2 * GIB);
        write("sys/fs/cgroup/pod/memory.current", "" + GIB);
        write("sys/fs/cgroup/pod/memory.swap.max", "0\n");
        write("sys/fs/cgroup/pod/memory.stat", "anon 7\nfile 9\ninactive_file 1024\nactive_file 512\n");
        write("sys/fs/cgroup/pod/container/memory.max", "" + 4 * GIB);
        write("sys/fs/cgroup/pod/container/memory.current", "0");

        assertEquals(Optional.of(new HostMemory(2 * GIB, 0, GIB + 1536, "this container")), HostMemory.read(root));
    }

    @Test
    void read_groupOfVersion1SeenFromInside_isThatOfTheMount() throws IOException {
        machine();
        write("proc/self/cgroup", "5:cpu:/x\n4:memory:/docker/0123\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "" + 3 * GIB);
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "" + GIB);

        assertEquals(Optional.of(new HostMemory(3 * GIB, GIB, 2 * GIB, "this container")), HostMemory.read(root));
    }

    @Test
    void read_thisProcess_isPlausible() {
        HostMemory.read().ifPresent(memory -> assertTrue(memory.availableBytes() > 0
                && memory.availableBytes() <= memory.memoryBytes(), memory::toString));
    }

    @Test
    void problem_byWhatThereIs_isNoneAWarningOrARefusal() {
        HostMemory memory = new HostMemory(4 * GIB, GIB, 3 * GIB, "this container");
        assertTrue(new MemoryNeed(2 * GIB, GIB, 4096).problem(memory).isEmpty());

        String warning = new MemoryNeed(2 * GIB, GIB + 1, 4096).problem(memory).orElseThrow();
        assertTrue(warning.startsWith("weights of 2.0 GiB and keys and values of 1.0 GiB for 4096 tokens are more than the 3.0 GiB "
                + "that this container has free"), warning);
        assertFalse(new MemoryNeed(5 * GIB, 5 * GIB, 4096).problem(memory).isEmpty(), "each alone may go to swap");
        for (MemoryNeed need : new MemoryNeed[] {new MemoryNeed(5 * GIB + 1, 0, 1), new MemoryNeed(0, 5 * GIB + 1, 1)}) {
            assertTrue(assertThrows(IllegalArgumentException.class, () -> need.problem(memory)).getMessage()
                    .contains("do not fit into the 5.0 GiB that this container has"));
        }
    }
}
