"""The naive pipelines that every saving is measured against."""
