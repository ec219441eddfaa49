"""`payload-worker produce`: events from files, checked before the first is sent; once, however often it is begun."""
