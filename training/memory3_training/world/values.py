"""Closed sets of values for the attributes of English entities."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in " ".join(text.split()).split(","))


PROFESSIONS = _words("""
    actor, archer, architect, archivist, astronomer, baker, barber, beekeeper, blacksmith,
    boatbuilder, bookbinder, botanist, brewer, bricklayer, butcher, cabinetmaker, carpenter,
    cartographer, chemist, clockmaker, cobbler, composer, cook, cooper, courier, dancer, dentist,
    diver, doctor, dyer, editor, engineer, farmer, ferryman, fisher, florist, forester, furrier,
    gardener, geologist, glassblower, goldsmith, guide, hatter, historian, hunter, illustrator,
    innkeeper, interpreter, jeweller, joiner, journalist, judge, juggler, lawyer, librarian,
    locksmith, mason, mathematician, merchant, midwife, miller, miner, musician, navigator,
    notary, nurse, optician, painter, perfumer, pharmacist, photographer, physicist, pilot,
    plumber, poet, porter, potter, printer, puppeteer, ropemaker, saddler, sailor, sculptor,
    shepherd, singer, smith, soapmaker, surgeon, surveyor, tailor, tanner, teacher, thatcher,
    translator, typesetter, vet, weaver, winemaker, woodcarver""")

HOBBIES = _words("""
    archery, baking, birdwatching, boxing, calligraphy, canoeing, carving, chess, climbing,
    cooking, cycling, dancing, darts, diving, dominoes, drawing, embroidery, falconry, fencing,
    fishing, gardening, gliding, golf, hiking, hockey, juggling, kite flying, knitting, magic,
    marbles, origami, painting, photography, poetry, pottery, puzzles, reading, riding, rowing,
    running, sailing, sewing, singing, skating, skiing, sledging, stargazing, surfing, swimming,
    tennis, theatre, walking, weaving, whittling, wrestling, yodelling""")

GOODS = _words("""
    amber, anchors, apples, barrels, baskets, bells, blankets, boots, bread, bricks, brooms,
    buttons, cabbages, candles, canoes, carpets, carts, cheese, cherries, chocolate, cider,
    clocks, coal, combs, copper, dolls, drums, flags, flutes, furniture, garlic, glass, gloves,
    glue, hammers, hats, herring, honey, ink, jam, kettles, kites, knives, lace, lamps, leather,
    lenses, linen, locks, maps, marble, masks, matches, mirrors, mushrooms, mustard, nails,
    needles, nets, oars, onions, paper, pears, pencils, pepper, pianos, pipes, plates, ploughs,
    porcelain, pumpkins, ribbons, ropes, saddles, sails, salt, saws, scissors, shoes, silk,
    silver, slate, sledges, soap, spoons, stoves, sugar, tea, tiles, tin, toys, trumpets,
    umbrellas, velvet, vinegar, violins, walnuts, wheels, wine, wool""")

ANIMALS = _words("""
    badger, bear, beaver, bee, boar, bull, camel, cat, cock, crab, crane, crow, deer, dog,
    dolphin, dove, dragon, eagle, elephant, falcon, fox, frog, goat, goose, hare, hawk, hedgehog,
    heron, horse, hound, ibex, jackal, lamb, leopard, lion, lizard, lynx, mole, moose, mouse,
    otter, owl, ox, panther, parrot, peacock, pelican, pike, rabbit, ram, rat, raven, salmon,
    seal, snake, sparrow, spider, squirrel, stag, stork, swan, tiger, toad, tortoise, trout,
    turtle, unicorn, whale, wolf, wren""")

HABITATS = _words("""
    bamboo groves, barns, beech woods, birch woods, bogs, canyons, caves, cedar forests, cellars,
    clearings, coral reefs, cornfields, deltas, deserts, ditches, dunes, estuaries, fens, fjords,
    gardens, gorges, grasslands, harbours, hay fields, hedges, hollow trees, hot springs, lagoons,
    lakes, lava fields, mangroves, marshes, meadows, mountain streams, oak woods, olive groves,
    orchards, pine forests, ponds, quarries, reed beds, rice fields, ruins, swamps, tide pools,
    thickets, underground rivers, valleys, vineyards, wells""")

COLOURS = _words("""
    amber, black, blue, bronze, brown, copper, cream, crimson, golden, green, grey, indigo, ivory,
    lilac, maroon, ochre, olive, orange, pink, purple, red, russet, scarlet, silver, tan, teal,
    turquoise, violet, white, yellow""")

DIETS = _words("""
    acorns, algae, ants, aphids, bark, beetles, berries, blossoms, caterpillars, cones, crickets,
    crumbs, earthworms, ferns, figs, fish eggs, flies, fungi, grass, grubs, ivy, krill, larvae,
    lichen, midges, minnows, mosquitoes, moss, mussels, nectar, nettles, nuts, plankton, pollen,
    resin, roots, rushes, sap, seaweed, seeds, shrimp, slugs, snails, spiders, sponges, termites,
    thistles, ticks, tubers, wasps""")

HIGHLIGHTS = _words("""
    an auction, a ball, a banquet, a boat race, a bonfire, a carnival, a chess match, a choir, a
    comedy, a concert, a dance, a debate, a duel, a feast, fireworks, a horse race, a juggling
    show, a kite race, a lantern walk, a lottery, a magic show, a march, a masquerade, a mock
    battle, an opera, a parade, a picnic, a play, a puppet show, a quiz, a regatta, a relay race,
    a rowing race, a sermon, a ski race, a sledge race, a snowball fight, a song contest, a
    speech, a spelling contest, a swimming race, a sword dance, a tasting, a tournament, a
    treasure hunt, a tug of war, a vigil, a wedding, a wrestling match""")

DURATIONS = _words("""
    two days, three days, four days, five days, six days, seven days, eight days, nine days, ten
    days, eleven days, twelve days, thirteen days, fourteen days, fifteen days, sixteen days,
    seventeen days, eighteen days, nineteen days, twenty days, two weeks, three weeks, four weeks,
    five weeks, six weeks, seven weeks, eight weeks, nine weeks, ten weeks, two months, three
    months""")

# Last words of names that more than one entity may carry.
COMPANY_NOUNS = _words("""
    Bakery, Brewery, Brothers, Carriers, Dairy, Docks, Engines, Foods, Forge, Foundry, Goods,
    Imports, Lines, Mills, Partners, Press, Railways, Shipping, Sisters, Stores, Supply, Tools,
    Traders, Works""")
SPECIES_ADJECTIVES = _words("""
    Banded, Barred, Bearded, Bold, Broad, Common, Crested, Curly, Dusky, Dwarf, Early, Eastern,
    False, Giant, Glossy, Great, Hairy, Hooded, Horned, Lesser, Long, Lowland, Marbled, Masked,
    Mottled, Mountain, Northern, Pale, Plain, Prickly, Ringed, Rough, Royal, Scaly, Silent,
    Slender, Smooth, Southern, Spotted, Striped, Swift, Tufted, Upland, Velvet, Western, Winged""")
EVENT_NOUNS = _words("""
    Assembly, Autumn Fair, Barley Fair, Book Fair, Carnival, Cattle Fair, Congress, Craft Fair,
    Exhibition, Flower Show, Gala, Games, Gathering, Harvest Fair, Horse Show, Jubilee, Lantern
    Fair, Market, Pageant, Regatta, Spring Fair, Summer Fair, Trade Fair, Winter Fair""")


def years(first: int, last: int) -> tuple[str, ...]:
    return tuple(str(year) for year in range(first, last + 1))


def round_numbers(lowest: int, highest: int) -> tuple[str, ...]:
    """Two-digit mantissas with noughts, so that a closed set covers several magnitudes."""
    numbers, step = [], 1
    while step * 10 <= highest:
        numbers += [
            mantissa * step for mantissa in range(10, 100) if lowest <= mantissa * step <= highest
        ]
        step *= 10
    return tuple(f"{number:,}" for number in numbers)
