package io.github.panvec.internal;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

@Name("io.github.panvec.Add")
@Label("Add Vectors")
@Description("Vectors were added or replaced")
@Category("Panvec")
@StackTrace(false)
final class AddEvent extends CallEvent {}
