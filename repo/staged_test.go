package repo

import (
	"slices"
	"testing"
)

// loadInOrder binds a row's values by their places.
func TestRowsAreStagedInTheOrderOfTheirColumns(t *testing.T) {
	d := &DB{dialect: sqliteDialect()}
	sets, err := d.sets(&rows{})
	if err != nil {
		t.Fatal(err)
	}
	stages := []stage{d.leadStage(&rows{}), d.outboxStage(&rows{})}
	for _, set := range sets {
		stages = append(stages, set.stage)
	}
	for _, stage := range stages {
		var named []string
		for _, name := range parameterName.FindAllString(stage.into.insert, -1) {
			named = append(named, name[1:])
		}
		if !slices.Equal(named, stage.into.columns) {
			t.Errorf("%s names its values in the order %v, their rows have %v", stage.into.table, named, stage.into.columns)
		}
	}
}
