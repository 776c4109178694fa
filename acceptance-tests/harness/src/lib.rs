//! What acceptance tests share: build, start, run terraform; and the demo and figures programs.
