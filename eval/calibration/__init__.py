"""When a cached answer that was proposed for another question is right."""
