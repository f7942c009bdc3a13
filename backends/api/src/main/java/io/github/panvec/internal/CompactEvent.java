package io.github.panvec.internal;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;

@Name("io.github.panvec.Compact")
@Label("Compact Index")
@Description("What removed and replaced vectors took was given back")
@Category("Panvec")
final class CompactEvent extends CallEvent {}
