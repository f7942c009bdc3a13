package io.github.panvec.internal;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

@Name("io.github.panvec.Train")
@Label("Train Index")
@Description("An index was trained by a call; one that trains by itself does it within an add")
@Category("Panvec")
final class TrainEvent extends CallEvent {}
