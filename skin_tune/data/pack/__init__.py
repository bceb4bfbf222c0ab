"""The pack: one prepared Arrow file of one region, checked before it is used."""
