package io.github.panvec.internal;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

@Name("io.github.panvec.Save")
@Label("Save Index")
@Description("One state of an index was written to a snapshot")
@Category("Panvec")
final class SaveEvent extends CallEvent {}
