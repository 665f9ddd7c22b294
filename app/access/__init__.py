"""Who asks: what he may read, who pays, what he may do."""
