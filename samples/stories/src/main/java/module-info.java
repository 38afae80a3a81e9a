/// A pair of small story models, as resources.
module org.gatun.stories {
    requires transitive org.gatun;

    exports org.gatun.stories;
}
