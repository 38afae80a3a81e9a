package org.gatun.cuda.simulator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.gatun.cuda.CudaEvent;
import org.gatun.cuda.CudaException;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.CudaGraph;
import org.gatun.cuda.CudaStream;
import org.gatun.cuda.DeviceBuffer;
import org.gatun.cuda.KernelArguments;
import org.gatun.cuda.LaunchConfiguration;
import org.gatun.cuda.PinnedBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// In which order queued work is done, and what a graph records.
class StreamAndGraphTest {
    private static final LaunchConfiguration ONE = LaunchConfiguration.of(1, 1);

    private final Machine machine = new Machine();
    /// x = 10 x + p1
    private final CudaFunction digit = machine.kernel(".u64 .u32", """
            ld.param.u64 %rd0, [p0]; ld.param.u32 %r1, [p1]; ld.global.u32 %r0, [%rd0];
            mad.lo.u32 %r0, %r0, 10, %r1; st.global.u32 [%rd0], %r0;
            """);
    private final DeviceBuffer number = machine.buffer(0);

    @AfterEach
    void close() {
        machine.close();
    }

    private void append(CudaStream stream, int value) {
        stream.launch(digit, ONE, digit.arguments().set(0, number).set(1, value));
    }

    private int result() {
        machine.context.synchronize();
        return Machine.ints(number)[0];
    }

    @Test
    void oneStream_launchesCopiesAndFills_areDoneInTheirOrder() {
        PinnedBuffer pinned = machine.context.allocatePinned(4);
        append(machine.stream, 1);
        append(machine.stream, 2);
        machine.stream.copyToHost(pinned.memory(), number, 0);
        machine.stream.fillWords(number, 0, 1, 7);
        append(machine.stream, 3);

        assertEquals(73, result());
        assertEquals(12, pinned.memory().get(ValueLayout.JAVA_INT, 0));
    }

    /// NVIDIA, "API synchronization behavior": such a copy returns once its source is staged.
    @Test
    void copyOfPageableMemory_thatNobodyWaitedFor_isNotThereInAnotherStream() {
        MemorySegment seven = MemorySegment.ofArray(new int[] {7});
        machine.driver.copyToDevice(number.address(), seven);
        append(machine.stream, 1);
        machine.stream.synchronize();
        assertEquals(7, result(), "the copy came after the kernel");

        machine.driver.copyToDevice(number.address(), seven);
        machine.driver.streamSynchronize(0);
        append(machine.stream, 1);
        assertEquals(71, result());
    }

    @Test
    void twoStreams_eventBetween_areOrderedByIt() {
        try (CudaStream other = machine.context.createStream(); CudaEvent event = machine.context.createEvent()) {
            append(machine.stream, 1);
            machine.stream.record(event);
            other.waitFor(event);
            append(other, 2);
            machine.context.synchronize();
            machine.stream.record(event);
            append(machine.stream, 3);
        }
        assertEquals(123, result());
    }

    @Test
    void capture_recordsWithoutRunning_andReplaysRunIt() {
        append(machine.stream, 9);
        try (CudaGraph graph = machine.stream.capture(() -> {
            append(machine.stream, 1);
            append(machine.stream, 2);
        })) {
            assertEquals(9, result());
            assertEquals(2, graph.nodeCount());
            machine.stream.launch(graph);
            append(machine.stream, 5);
            machine.stream.launch(graph);
            assertEquals(912_512, result());
        }
    }

    @Test
    void capture_forkAndJoinThroughEvents_recordsBothStreams() {
        try (CudaStream side = machine.context.createStream();
                CudaEvent forked = machine.context.createEvent();
                CudaEvent joined = machine.context.createEvent();
                CudaGraph graph = machine.stream.capture(() -> {
                    append(machine.stream, 1);
                    machine.stream.record(forked);
                    side.waitFor(forked);
                    append(side, 2);
                    side.record(joined);
                    machine.stream.waitFor(joined);
                    append(machine.stream, 3);
                })) {
            machine.stream.launch(graph);
            assertEquals(123, result());
        }
    }

    @Test
    void capture_streamThatDoesNotComeBack_isRefused() {
        try (CudaStream side = machine.context.createStream(); CudaEvent forked = machine.context.createEvent()) {
            CudaException exception = assertThrows(CudaException.class, () -> machine.stream.capture(() -> {
                append(machine.stream, 1);
                machine.stream.record(forked);
                side.waitFor(forked);
                append(side, 2);
            }));
            assertEquals("CUDA_ERROR_STREAM_CAPTURE_UNJOINED", exception.errorName());
        }
        append(machine.stream, 4);
        assertEquals(4, result());
    }

    @Test
    void capture_waitingForTheStream_isRefusedAndEndsIt() {
        CudaException exception = assertThrows(CudaException.class, () -> machine.stream.capture(() -> {
            append(machine.stream, 1);
            machine.stream.synchronize();
        }));
        assertTrue(exception.errorName().startsWith("CUDA_ERROR_STREAM_CAPTURE"), exception.errorName());
        append(machine.stream, 4);
        assertEquals(4, result());
    }

    /// As in a capture of the mode that the drivers ask for: one session captures while another is opened.
    @Test
    void capture_whileAnotherThreadAllocates_isRecorded() {
        CudaGraph graph = machine.stream.capture(() -> {
            append(machine.stream, 4);
            Thread other = Thread.ofPlatform().start(() -> machine.context.allocateFrom(MemorySegment.ofArray(new int[1])).close());
            try {
                other.join();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        });
        machine.stream.launch(graph);

        assertEquals(4, result());
    }

    @Test
    void recapture_otherArguments_areTaken_otherShapesAreNot() {
        try (CudaGraph graph = machine.stream.capture(() -> append(machine.stream, 1))) {
            assertTrue(machine.stream.recapture(graph, () -> append(machine.stream, 6)));
            machine.stream.launch(graph);
            assertEquals(6, result());
            assertFalse(machine.stream.recapture(graph, () -> {
                append(machine.stream, 1);
                append(machine.stream, 2);
            }));
        }
    }

    @Test
    void arguments_changedAfterALaunch_doNotChangeIt() {
        KernelArguments arguments = digit.arguments().set(0, number).set(1, 1);
        machine.stream.launch(digit, ONE, arguments);
        arguments.set(1, 2);
        machine.stream.launch(digit, ONE, arguments);
        assertEquals(12, result());
    }

    @Test
    void streamOrderedMemory_freedWhileWorkIsQueued_livesUntilThatIsDone() {
        DeviceBuffer scratch = machine.stream.allocate(4);
        machine.stream.fillWords(scratch, 0, 1, 8);
        machine.stream.copy(number, 0, scratch, 0, 4);
        scratch.close();
        assertEquals(8, result());
        assertArrayEquals(new int[] {8}, Machine.ints(number));
    }
}
