# Mots de passe.
password-forgot-title = Mot de passe oublié
password-forgot-lead = Indiquez votre identifiant ou votre adresse électronique. Nous vous envoyons un lien pour choisir un nouveau mot de passe.
password-forgot-submit = Recevoir le lien
password-stale = Cette page était ouverte depuis trop longtemps. Recommencez.
password-new-title = Choisir un mot de passe
password-account = Compte
password-new-label = Nouveau mot de passe
password-repeat-label = Le même, une seconde fois
password-new-submit = Enregistrer ce mot de passe
password-new-ends = Vos autres appareils seront déconnectés.
password-rules = Un mot de passe convient s’il suit l’un de ces trois modèles :
password-rule-four = { $count } caractères au moins, avec des minuscules, des majuscules, des chiffres et d’autres signes
password-rule-three = { $count } caractères au moins, avec des minuscules, des majuscules et des chiffres
password-rule-words = { $count } mots différents au moins
password-rule-met = Ce mot de passe suit un modèle accepté.
password-rule-not-met = Pas encore assez long ou assez varié.
password-rule-besides = { $count ->
    [one] Il ne contient ni votre nom, ni votre adresse, ni le nom de votre organisation. Ce n’est ni votre mot de passe actuel, ni un mot de passe que d’autres emploient souvent.
   *[other] Il ne contient ni votre nom, ni votre adresse, ni le nom de votre organisation. Ce n’est ni l’un de vos { $count } derniers mots de passe, ni un mot de passe que d’autres emploient souvent.
}
password-rule-personal = Il contient une partie de votre identifiant.
password-guess = Très facile à deviner.|Facile à deviner.|Encore assez facile à deviner.|Difficile à deviner.|Très difficile à deviner.
password-show = Afficher le mot de passe
password-hide = Masquer le mot de passe
password-refused = Ce mot de passe ne convient pas :
password-not-repeated = les deux saisies sont différentes ;
password-too-long = il dépasse 256 caractères ;
password-no-pattern = il ne suit aucun des trois modèles ;
password-personal = il contient un mot qui vous désigne : nom, adresse ou organisation ;
password-guessable = il est trop facile à deviner ;
password-leaked = il figure parmi des mots de passe divulgués ;
password-not-kept = ce n’est pas celui que vous aviez ; choisissez-en un nouveau si vous ne le retrouvez pas.
password-reused = vous l’avez déjà utilisé récemment.
password-present-label = Mot de passe actuel
password-present-refused = Ce n’est pas votre mot de passe actuel, ou il y a eu trop d’essais. Réessayez dans quelques minutes.
