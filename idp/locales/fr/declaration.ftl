# La déclaration d’exactitude.
declaration-text = Je déclare que les informations que j’ai saisies, notamment celles qui m’identifient, sont vraies et exactes.
declaration-missing = Cochez cette case pour continuer : elle engage votre responsabilité sur ce que vous avez saisi.
