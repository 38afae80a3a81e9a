/// The gatun command.
module org.gatun.cli {
    requires info.picocli;
    requires org.gatun.cuda.kernels;
    requires org.gatun.cuda.simulator;
    requires org.gatun.stories;
    requires org.jline;
    requires tools.jackson.databind;

    opens org.gatun.cli to info.picocli;
}
