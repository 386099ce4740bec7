"""From a release's manifests to the objects that go out, judged before anything is sent. Pure."""
